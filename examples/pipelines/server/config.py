"""What the environment says about the server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

DEFAULT_API_KEY: Final = "pipelines"
DEFAULT_FOLDER: Final = "deployed"


def api_key() -> str:
    """Return the key that requests must bring along."""
    return os.environ.get("PIPELINES_API_KEY") or DEFAULT_API_KEY


def pipelines_folder() -> Path:
    """Return the absolute path of the folder with the pipelines; it may not exist."""
    return Path(os.environ.get("PIPELINES_DIR") or DEFAULT_FOLDER).absolute()
