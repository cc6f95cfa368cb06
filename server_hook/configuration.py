"""Find the configuration, and read our own section of it; without coverage.py, whose import costs."""

from __future__ import annotations

import configparser
import os
import re

from server_hook.problems import HookError

CANDIDATES = (".coveragerc", ".coveragerc.toml", "setup.cfg", "tox.ini", "pyproject.toml")
"""Where coverage.py looks for its configuration, in its order."""

OWN_SETTINGS = frozenset(
    ["e2e", "e2e_scripts", "script_timeout_s", "pipeline_data", "server_command", "interval_s", "signals"]
)
_SECTION = re.compile(r"^\[(coverage:\w+|vmpilot_cov)\]", re.MULTILINE)


def find_config(folder: str) -> str:
    """Find the configuration in a folder as coverage.py does; return its path, or an empty string."""
    for name in CANDIDATES:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and (name.startswith(".coveragerc") or _has_settings(path)):
            return path
    return ""


def _has_settings(path: str) -> bool:
    """Tell whether a file that others use as well has a section of coverage.py's, or ours."""
    text = _text_of(path)
    if not path.endswith(".toml"):
        return bool(_SECTION.search(text))
    import tomllib

    try:
        tool = tomllib.loads(text).get("tool", {})
    except ValueError:  # it is broken: whoever reads it says how
        return bool(re.search(r"^\[tool\.(coverage|vmpilot_cov)", text, re.MULTILINE))
    return "coverage" in tool or "vmpilot_cov" in tool


def find_config_above(folder: str) -> str:
    """Find the configuration in a folder or the nearest one above it, up to the top of the repository or the home."""
    last = os.path.expanduser("~")
    while True:
        found = find_config(folder)
        above = os.path.dirname(folder)
        if found or folder in (above, last) or os.path.exists(os.path.join(folder, ".git")):
            return found
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
    try:
        if config_file.endswith(".toml"):
            import tomllib

            table = tomllib.loads(_text_of(config_file))
            section = table.get("tool", {}).get("vmpilot_cov", table.get("vmpilot_cov", {}))
            return {str(key): _plain(value) for key, value in section.items()}
        parser = configparser.RawConfigParser(interpolation=None)
        parser.read_string(_text_of(config_file), source=config_file)
        return dict(parser.items("vmpilot_cov")) if parser.has_section("vmpilot_cov") else {}
    except (configparser.Error, ValueError, AttributeError) as error:
        text = " ".join(str(error).split())
        raise HookError(f"the configuration {config_file} cannot be read: {text} (config-broken)") from error


def _plain(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise HookError(f"the configuration {path} cannot be read: {error} (config-broken)") from error
