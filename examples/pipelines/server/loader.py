"""Find pipelines in a folder and load them."""

from __future__ import annotations

import importlib.util
import logging
import sys
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

logger = logging.getLogger("pipelines")
FAILED: Final = "failed"


class Pipeline(Protocol):
    """What a pipeline has to offer."""

    name: str

    async def on_startup(self) -> None:
        """Get ready for requests."""

    async def on_shutdown(self) -> None:
        """Let go of everything."""

    def pipe(
        self,
        user_message: str,
        model_id: str,
        messages: Sequence[Mapping[str, object]],
        body: Mapping[str, object],
    ) -> str | Iterator[str]:
        """Answer a chat."""
        ...


def load_folder(folder: Path) -> dict[str, Pipeline]:
    """Load each ``*.py`` of the folder that has a class ``Pipeline``; return the pipelines by file stem.

    A file whose import raises is moved into the folder ``failed``, so that it is not tried again.
    """
    if not folder.is_dir():
        logger.warning("%s is not a folder, so there are no pipelines; run: python deploy.py", folder)
        return {}
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    pipelines = {}
    for path in sorted(folder.glob("*.py")):
        pipeline = _load_file(path)
        if pipeline is not None:
            pipelines[path.stem] = pipeline
    return pipelines


def _load_file(path: Path) -> Pipeline | None:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return cast("Pipeline", module.Pipeline()) if hasattr(module, "Pipeline") else None
    except Exception:
        logger.exception("%s cannot be imported and is moved to %s", path, FAILED)
        _move_to_failed(path)
        return None


def _move_to_failed(path: Path) -> None:
    failed = path.parent / FAILED
    failed.mkdir(exist_ok=True)
    # A link moves as a link: what it points to stays where it is.
    path.replace(failed / path.name)
