"""Deploy the pipeline by symbolic links: ``python deploy.py [TARGET]``.

The target folder (by default ``deployed``, beside this file) is what ``PIPELINES_DIR`` of the server names.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).resolve().parent
LINKED: Final = ("assistant_pipeline.py", "assistant")


class DeployError(Exception):
    """The target cannot be used as it is."""


def deploy(target: Path) -> list[str]:
    """Create the folder and the links, and return what was done; a second run changes nothing.

    Raises:
        DeployError: something other than a link is in the way, or links cannot be created.
    """
    if target.exists() and not target.is_dir():
        raise DeployError(f"{target} is not a folder; choose another target")
    try:
        target.mkdir(parents=True, exist_ok=True)
        return [_link(HERE / name, target / name) for name in LINKED]
    except OSError as error:
        raise DeployError(f"{error.filename or target}: {error.strerror}") from error


def _link(source: Path, link: Path) -> str:
    if link.is_symlink():
        if link.resolve() == source:
            return f"{link} is in place"
        link.unlink()
    elif link.exists():
        raise DeployError(f"{link} is not a link; move it away first")
    link.symlink_to(source)
    return f"{link} -> {source}"


def main(argv: Sequence[str] | None = None) -> int:
    """Deploy, and return the exit status: 0, or 1 after an error that has been printed."""
    parser = argparse.ArgumentParser(description="Link the pipeline into a pipelines folder.")
    parser.add_argument("target", nargs="?", type=Path, default=HERE / "deployed", metavar="TARGET")
    target = parser.parse_args(argv).target.absolute()
    try:
        for line in deploy(target):
            print(line)
    except DeployError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
