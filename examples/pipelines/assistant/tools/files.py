"""Read text files, from one folder only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from assistant.errors import ToolError
from assistant.tools.registry import Context, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES: Final = 64 * 1024


def read(folder: Path | None, name: str) -> str:
    """Return the text of a file inside the folder.

    Raises:
        ToolError: there is no folder, the file is outside of it, or it is not a readable text.
    """
    if folder is None:
        raise ToolError("there is no folder to read from; set ASSISTANT_FILES")
    path = (folder / name).resolve()
    # Compared after resolving: a link may lead out of the folder as well as "..".
    if not path.is_relative_to(folder.resolve()):
        raise ToolError(f"{name} is outside of the folder")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ToolError(f"{name} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ToolError(f"{name} has more than {MAX_BYTES} bytes")
    try:
        return content.decode("utf-8").rstrip("\n")
    except UnicodeDecodeError:
        raise ToolError(f"{name} is not a text in UTF-8") from None


def _run(arguments: Mapping[str, str], context: Context) -> str:
    return read(context.settings.files, arguments["path"])


TOOL: Final = Tool("files", "read a text file", ("path",), _run)
