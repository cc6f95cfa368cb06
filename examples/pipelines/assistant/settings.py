"""Settings: defaults, then a JSON file, then the environment; the last one wins."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from assistant.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The smallest and the largest value of each numeric setting.
LIMITS: Final = {
    "max_steps": (1, 20),
    "keep_conversations": (1, 1000),
    "chunk_size": (1, 4096),
}
FILE_NAME: Final = "settings.json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set, with its default."""

    home: Path | None = None  # the folder of the database; None keeps everything in memory
    files: Path | None = None  # the only folder that the file reader may read from
    max_steps: int = 6  # model calls for one question
    keep_conversations: int = 20  # per user; older ones are pruned
    chunk_size: int = 24  # characters in one streamed piece

    @property
    def database(self) -> Path | None:
        """Return where the database is, or None if it lives in memory."""
        return self.home / "assistant.db" if self.home else None


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    ``ASSISTANT_HOME`` names the folder for data, ``ASSISTANT_FILES`` the folder for the file reader,
    ``ASSISTANT_SETTINGS`` a JSON file (by default ``settings.json`` in the home, if there is one), and
    ``ASSISTANT_MAX_STEPS`` and so on overrule a number in that file.

    Raises:
        SettingsError: a value is not what it should be; the text says where it came from.
    """
    environ = os.environ if environ is None else environ
    home = _folder(environ, "ASSISTANT_HOME")
    files = _folder(environ, "ASSISTANT_FILES") or (home / "files" if home else None)
    numbers = _numbers_from_file(_settings_file(environ, home))
    for name in LIMITS:
        variable = f"ASSISTANT_{name.upper()}"
        if text := environ.get(variable, ""):
            numbers[name] = _number_from_text(name, text, variable)
    return Settings(home=home, files=files, **numbers)


def _folder(environ: Mapping[str, str], variable: str) -> Path | None:
    text = environ.get(variable, "")
    if not text:
        return None
    path = Path(text).absolute()
    if path.exists() and not path.is_dir():
        raise SettingsError(f"{variable}={text} is not a folder")
    return path


def _settings_file(environ: Mapping[str, str], home: Path | None) -> Path | None:
    if named := environ.get("ASSISTANT_SETTINGS", ""):
        return Path(named)
    usual = home / FILE_NAME if home else None
    return usual if usual and usual.is_file() else None


def _numbers_from_file(path: Path | None) -> dict[str, int]:
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise SettingsError(f"{path}, line {error.lineno}: {error.msg}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold one JSON object")
    return {name: _checked(name, value, str(path)) for name, value in values.items()}


def _number_from_text(name: str, text: str, origin: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise SettingsError(f"{name}={text} (from {origin}) is not a whole number") from None
    return _checked(name, number, origin)


def _checked(name: str, value: object, origin: str) -> int:
    if name not in LIMITS:
        raise SettingsError(f"{name} (from {origin}) is not a setting; there are {', '.join(LIMITS)}")
    if not isinstance(value, int) or isinstance(value, bool):
        raise SettingsError(f"{name}={value!r} (from {origin}) is not a whole number")
    low, high = LIMITS[name]
    if not low <= value <= high:
        raise SettingsError(f"{name}={value} (from {origin}) is out of range; use {low} to {high}")
    return value
