"""Settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from assistant.errors import SettingsError
from assistant.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_empty_environment_gives_the_defaults() -> None:
    """Without any variable the defaults hold, and nothing is stored."""
    assert load_settings({}) == Settings()
    assert load_settings({}).database is None


def test_home_holds_database_and_files(tmp_path: Path) -> None:
    """The home is the default place of the database and of the files."""
    settings = load_settings({"ASSISTANT_HOME": str(tmp_path)})

    assert settings.database == tmp_path / "assistant.db"
    assert settings.files == tmp_path / "files"


def test_environment_overrules_the_file(tmp_path: Path) -> None:
    """A number in the environment wins over the one in the file."""
    (tmp_path / "settings.json").write_text('{"max_steps": 3, "chunk_size": 10}')

    settings = load_settings({"ASSISTANT_HOME": str(tmp_path), "ASSISTANT_MAX_STEPS": "4"})

    assert (settings.max_steps, settings.chunk_size) == (4, 10)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ASSISTANT_MAX_STEPS", "many", "max_steps=many .from ASSISTANT_MAX_STEPS. is not a whole number"),
        ("ASSISTANT_MAX_STEPS", "21", "max_steps=21 .from ASSISTANT_MAX_STEPS. is out of range; use 1 to 20"),
        ("ASSISTANT_FILES", __file__, "ASSISTANT_FILES=.* is not a folder"),
    ],
)
def test_wrong_variable_is_named(variable: str, value: str, message: str) -> None:
    """A wrong value is refused with its variable and the way out."""
    with pytest.raises(SettingsError, match=message):
        load_settings({variable: value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"max_step": 3}', "max_step .from .*settings.json. is not a setting; there are max_steps,"),
        ('{"max_steps": true}', "max_steps=True .from .*settings.json. is not a whole number"),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A wrong entry is refused with the file that it is from."""
    (tmp_path / "settings.json").write_text(text)

    with pytest.raises(SettingsError, match=message):
        load_settings({"ASSISTANT_HOME": str(tmp_path)})
