"""Find the configuration, and read our own section of it; without coverage.py, whose import costs."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from server_hook.problems import HookError, one_line

if TYPE_CHECKING:
    from pathlib import Path

CANDIDATES = (".coveragerc", ".coveragerc.toml", "setup.cfg", "tox.ini", "pyproject.toml")
"""Where coverage.py looks for its configuration, in its order."""

OWN_SETTINGS = frozenset(
    [
        *("e2e", "e2e_scripts", "e2e_scripts_args", "e2e_scripts_cwd", "e2e_scripts_env", "script_timeout_s"),
        *("pipeline_data", "server_command", "interval_s", "signals", "stale", "tag_requests"),
    ]
)
FAIL_UNDER = "vmpilot_cov:fail_under"
"""The section with our thresholds, which is read for a verdict only."""
SCRIPT_SETTINGS = (b"e2e_scripts", b"script_timeout_s")
"""Settings that count in a session without the flag, too."""


def find_config(folder: str) -> str:
    """Find the configuration in a folder as coverage.py does; return its path, or an empty string."""
    for name in CANDIDATES:
        path = os.path.join(folder, name)
        # the .coveragerc files are coverage.py's alone: they count without a section as well
        if os.path.isfile(path) and (name.startswith(".coveragerc") or _has_settings(path)):
            return path
    return ""


def _has_settings(path: str) -> bool:
    """Tell whether a file that others use as well has a section of coverage.py's, or ours."""
    text = _text_of(path)
    if not path.endswith(".toml"):
        return bool(re.search(r"^\[(coverage:\w+|vmpilot_cov(:fail_under)?)\]", text, re.MULTILINE))
    import tomllib

    try:
        tool = tomllib.loads(text).get("tool", {})
    except ValueError:  # it is broken; the error comes when it is read
        return bool(re.search(r"^\[tool\.(coverage|vmpilot_cov)", text, re.MULTILINE))
    return "coverage" in tool or "vmpilot_cov" in tool


def find_config_above(folder: str) -> str:
    """Find the configuration in a folder or the nearest one above it, up to the top of the repository or the home."""
    last = os.path.expanduser("~")
    while True:
        config = find_config(folder)
        above = os.path.dirname(folder)
        if config or folder in (above, last) or os.path.exists(os.path.join(folder, ".git")):
            return config
        folder = above


def locate(path: str) -> tuple[str, str]:
    """Turn a path of a configuration or of a project folder into (configuration file or empty, folder).

    Raises:
        HookError: when it is neither.
    """
    path = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(path):
        return find_config(path), path
    if os.path.isfile(path):
        return path, os.path.dirname(path)
    raise HookError(
        f"{path} is neither a configuration file nor a folder; "
        "name a .coveragerc or the project's folder (config-not-found)"
    )


def read_own_section(config_file: str) -> dict[str, str]:
    """Read ``[vmpilot_cov]`` (``[tool.vmpilot_cov]`` in TOML) as plain text values; lists are one item a line.

    Raises:
        HookError: when the file cannot be parsed.
    """
    if not config_file:
        return {}
    import configparser

    try:
        if config_file.endswith(".toml"):
            own = _own_table(config_file)
            if isinstance(own.get("fail_under"), dict):  # else it is a setting, and an unknown one
                del own["fail_under"]
            return {str(key): _plain(value) for key, value in own.items()}
        parser = configparser.RawConfigParser(interpolation=None)
        parser.read_string(_text_of(config_file), source=config_file)
        return dict(parser.items("vmpilot_cov")) if parser.has_section("vmpilot_cov") else {}
    except (configparser.Error, ValueError, AttributeError) as error:
        text = one_line(error)
        raise HookError(f"the configuration {config_file} cannot be read: {text} (config-broken)") from error


def read_fail_under(config_file: str) -> dict[str, str]:
    """Read ``[vmpilot_cov:fail_under]`` of a configuration that ``read_own_section`` accepts, as plain text values.

    Names keep their case. In an ini file a line is split at its last ``=`` or ``:``; configparser would take the first.

    Raises:
        HookError: when the file has a section ``[vmpilot_cov:...]`` of another name.
    """
    if not config_file:
        return {}
    if config_file.endswith(".toml"):
        table = _own_table(config_file).get("fail_under", {})
        return {str(name): _plain(value) for name, value in table.items()}
    thresholds: dict[str, str] = {}
    section = ""
    for line in map(str.strip, _text_of(config_file).splitlines()):
        if head := re.fullmatch(r"\[(.+?)\]\s*([#;].*)?", line):
            section = head[1]
            if section.startswith("vmpilot_cov:") and section != FAIL_UNDER:
                raise HookError(
                    f"[{section}] in {config_file} is no section; known is [{FAIL_UNDER}] (setting-unknown)"
                )
        elif section == FAIL_UNDER and line and line[0] not in "#;":
            parted = re.fullmatch(r"(.*)[=:]([^=:]*)", line)  # at the last one: a path pattern may hold either
            name, value = parted.groups() if parted else (line, "")
            thresholds[name.strip()] = value.strip()
    return thresholds


def may_name_scripts(root: Path, typed: str) -> bool:
    """Tell whether the configuration could name shell scripts that are tests; after a yes it has to be read.

    Args:
        root: pytest's rootdir.
        typed: the value of ``--cov-config``.
    """
    if typed != ".coveragerc" or os.environ.get("COVERAGE_RCFILE"):
        return True  # a file that was named may lie anywhere
    return any(_mentions_scripts(f"{folder}/{name}") for folder in (root, *root.parents) for name in CANDIDATES)


def _mentions_scripts(path: str) -> bool:
    with suppress(OSError), open(path, "rb") as file:
        text = file.read()
        return any(name in text for name in SCRIPT_SETTINGS)
    return False


def _own_table(config_file: str) -> dict[str, Any]:
    import tomllib

    table = tomllib.loads(_text_of(config_file))
    own: dict[str, Any] = table.get("tool", {}).get("vmpilot_cov", table.get("vmpilot_cov", {}))
    return own


def _plain(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise HookError(f"the configuration {path} cannot be read: {error} (config-broken)") from error
