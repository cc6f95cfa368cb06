"""Read one configuration, the same in every process: coverage.py's own settings and the section ``[vmpilot_cov]``.

coverage.py reads relative sources and patterns against the working folder; a server that was started elsewhere then
measures other files than the tests. Here they are read against the configuration's folder, always.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any, Self

from coverage import __version__, version_info

from server_hook.config.files import locate, read_own_section
from server_hook.config.lone_copies import LoneCopies
from server_hook.config.sources import apart_from, find_copies, find_package
from server_hook.coverage_private import REFUSALS, WatchedCoverage
from server_hook.problems import HookError, one_line
from server_hook.rows import Row

OLDEST_COVERAGE = (7, 10)
"""The oldest coverage.py that has what recording needs, such as a setting for the core."""
INTERVAL_S = 1.0
"""How many seconds lie between two segments, unless ``interval_s`` says otherwise."""
NEAR = "near"
"""Stands for the hosts that are near: this machine, its private networks, names without a dot."""
_LIGHT_THREADS = {"gevent", "greenlet", "eventlet"}

_SWITCH = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


class Settings(Row):
    """How to measure: everything that two processes must agree on."""

    config_file: str
    """Absolute path of the configuration; empty when there is none."""
    folder: str
    """The configuration's folder: what relative sources and patterns are read against."""
    source: tuple[str, ...]
    """Absolute folders, and the names of packages that were not found as a folder."""
    source_folders: tuple[str, ...]
    """Those of source that ``[run] source`` names as folders: coverage.py's XML report names files below these."""
    copies: tuple[str, ...]
    """Folders that hold the source as well, installed as by tox, or copied: measured for the project's own files."""
    include: tuple[str, ...]
    omit: tuple[str, ...]
    branch: bool
    concurrency: tuple[str, ...]
    """Without multiprocessing: the start-up line and the fork hooks follow children."""
    core: str
    """The core that is asked for; empty leaves the choice to coverage.py."""
    core_reason: str
    data_file: str
    """Absolute path of ``.coverage``; the data of unit and E2E tests lies beside it."""
    relative_files: bool
    """Whether published data files name sources relative to the configuration's folder."""
    interval_s: float
    """Seconds between two segments."""
    signals: bool
    """Whether SIGTERM and SIGHUP may be caught to save the last interval."""
    server_command: str
    """The command that counts as the pipeline when a test session starts it."""
    tag_requests: tuple[str, ...]
    """The hosts whose requests name the test that sends them, ``near`` for those that are near; empty for none."""

    @property
    def relative_to(self) -> str:
        """The folder that published data files name sources relative to; empty for absolute names."""
        return self.folder if self.relative_files else ""

    @classmethod
    def from_record(cls, raw: Mapping[str, Any]) -> Self:
        """Rebuild settings from their JSON form in a process's record."""
        values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in raw.items()}
        return cls(**values)


def read_settings(path: str, overrides: Mapping[str, object] | None = None) -> Settings:
    """Read the configuration at *path* (a file or a project folder).

    Args:
        path: the configuration, or the folder that holds it.
        overrides: coverage settings from a command line, by coverage's own names (``run:branch``).

    Raises:
        HookError: when it cannot be found or understood.
    """
    return read_with_coverage(path, overrides)[0]


def read_with_coverage(path: str, overrides: Mapping[str, object] | None = None) -> tuple[Settings, WatchedCoverage]:
    """Read the configuration as ``read_settings`` does; also return the Coverage that has read it, to measure with."""
    config_file, folder = locate(path)
    own, cov = read_own_section(config_file), open_coverage(config_file)
    overriding = dict(overrides or {})

    def option(name: str) -> Any:  # noqa: ANN401 - coverage's options have many types
        return overriding[name] if overriding.get(name) is not None else cov.get_option(name)

    branch = bool(option("run:branch"))
    names = _names(option("run:source"))
    concurrency = tuple(name for name in option("run:concurrency") or () if name != "multiprocessing")
    core, why = choose_core(cov, branch=branch, concurrency=concurrency)
    settings = Settings(
        config_file=config_file,
        folder=folder,
        source=(source := _sources(cov, names, folder)),
        source_folders=tuple(_absolute(name, folder) for name in names if _is_folder(name, folder)),
        copies=find_copies([*names, *_listed(cov, "run:source_pkgs")], source, folder),
        include=_patterns(option("run:include"), folder),
        omit=_patterns(option("run:omit"), folder),
        branch=branch,
        concurrency=concurrency,
        core=core,
        core_reason=why,
        data_file=_data_file(str(cov.get_option("run:data_file")), folder),
        relative_files=bool(cov.get_option("run:relative_files")),
        interval_s=_own_number(own, "interval_s", INTERVAL_S, config_file),
        signals=_own_switch(own, "signals", default=True, config_file=config_file),
        server_command=own.get("server_command", "").strip(),
        tag_requests=_tagged_hosts(own, config_file),
    )
    return settings, cov


def open_coverage(config_file: str) -> WatchedCoverage:
    """Make a Coverage of a configuration that writes no data file of its own.

    Raises:
        HookError: when coverage.py is too old, or does not accept the configuration.
    """
    if version_info[:2] < OLDEST_COVERAGE:
        oldest = ".".join(map(str, OLDEST_COVERAGE))
        raise HookError(
            f"coverage {__version__} is installed here, {oldest} is needed; "
            f"pip install 'coverage>={oldest}' (coverage-too-old)"
        )
    try:
        return WatchedCoverage(data_file=None, config_file=config_file or False)  # False: look for none
    except (*REFUSALS, OSError, ValueError) as error:
        text = one_line(error)
        raise HookError(f"coverage.py cannot use {config_file}: {text} (config-broken)") from error


def apply_settings(cov: WatchedCoverage, settings: Settings, *, to_measure: bool = False) -> None:
    """Give a Coverage the settings of this process, and take away what the recorder does in its place.

    Args:
        cov: that Coverage.
        settings: those of this process.
        to_measure: whether it is to measure, copies included, or to judge what was measured.
    """
    options: dict[str, Any] = {
        "run:source": [*settings.source, *(settings.copies if to_measure else ())] or None,
        "run:source_dirs": [],  # both are part of settings.source
        "run:source_pkgs": [],
        "run:include": list(settings.include) or None,
        "run:omit": list(settings.omit) or None,
        "run:branch": settings.branch,
        "run:concurrency": list(settings.concurrency) or ["thread"],
        "run:core": settings.core or None,
        "run:timid": settings.core == "pytrace",
        "run:patch": [],
        "run:sigterm": False,  # it makes Process.terminate() asynchronous
        "run:parallel": False,
        "run:relative_files": False,
        "run:dynamic_context": None,  # coverage.py clears live sets when it switches; labels do without
        "run:context": None,
    }
    for name, value in options.items():
        cov.set_option(name, value)
    if to_measure:
        cov.is_copied = LoneCopies(settings.source, settings.folder, cov).is_one
        if not (settings.include or cov.get_option("run:plugins")):  # either may ask for any file
            cov.is_apart = apart_from((*settings.source, *settings.copies))


def choose_core(cov: WatchedCoverage, *, branch: bool, concurrency: tuple[str, ...]) -> tuple[str, str]:
    """Choose the fastest core that can do what is asked; return it with the reason.

    A core named by ``COVERAGE_CORE`` or ``[run] core`` always wins.
    """
    if os.environ.get("COVERAGE_CORE"):
        return os.environ["COVERAGE_CORE"], "from COVERAGE_CORE"
    if cov.get_option("run:core"):
        return str(cov.get_option("run:core")), "from [run] core"
    if cov.get_option("run:timid"):
        return "pytrace", "from [run] timid"
    reasons = {
        "sys.monitoring needs Python 3.12": sys.version_info < (3, 12),
        "sysmon measures branches from Python 3.14": branch and sys.version_info < (3, 14),
        "sysmon has no concurrency=gevent, greenlet or eventlet": bool(_LIGHT_THREADS & set(concurrency)),
        "sysmon supports no coverage plugins": bool(cov.get_option("run:plugins")),
    }
    for reason, applies in reasons.items():  # the C tracer can do all of it, at 2 to 8 times the CPU of none
        if applies:
            return "ctrace", reason
    return "sysmon", "the fastest for this Python"


def _names(value: object) -> list[str]:
    names = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
    return [str(name) for name in names]


def _sources(cov: WatchedCoverage, names: list[str], folder: str) -> tuple[str, ...]:
    """List what to measure: folders as absolute paths; without any setting, the configuration's folder."""
    sources = [_absolute(name, folder) if _is_folder(name, folder) else find_package(name, folder) for name in names]
    sources += [os.path.join(folder, str(name)) for name in _listed(cov, "run:source_dirs")]
    sources += [find_package(str(name), folder) for name in _listed(cov, "run:source_pkgs")]
    if not sources and not _listed(cov, "run:include"):
        sources = [folder]
    # without a separator it is the name of a package, not a path
    return tuple(os.path.normpath(name) if os.sep in name else name for name in sources)


def _absolute(name: str, folder: str) -> str:
    return os.path.abspath(os.path.join(folder, os.path.expanduser(name)))


def _is_folder(name: str, folder: str) -> bool:
    return os.path.isdir(_absolute(name, folder))


def _listed(cov: WatchedCoverage, name: str) -> list[str]:
    value = cov.get_option(name)
    return [str(item) for item in value] if isinstance(value, list) else []


def _patterns(value: object, folder: str) -> tuple[str, ...]:
    """Make relative patterns absolute, except those that begin with a wildcard (coverage's ``prep_patterns``)."""
    names = value if isinstance(value, (list, tuple)) else []
    return tuple(
        str(name) if str(name).startswith(("*", "?")) else os.path.abspath(os.path.join(folder, str(name)))
        for name in names
    )


def _data_file(name: str, folder: str) -> str:
    """Resolve where ``.coverage`` goes: typed in COVERAGE_FILE it is read against the working folder."""
    return os.path.abspath(name) if os.environ.get("COVERAGE_FILE") else os.path.abspath(os.path.join(folder, name))


def _own_number(own: Mapping[str, str], name: str, default: float, config_file: str) -> float:
    """Parse one of our settings that is a number of seconds."""
    text = own.get(name, str(default)).strip()
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise _invalid(name, text, config_file, "a number of seconds above 0")


def _own_switch(own: Mapping[str, str], name: str, *, default: bool, config_file: str) -> bool:
    """Parse one of our settings that is on or off."""
    text = own.get(name, "on" if default else "off").strip()
    if text.lower() not in _SWITCH:
        raise _invalid(name, text, config_file, "on or off")
    return _SWITCH[text.lower()]


def _tagged_hosts(own: Mapping[str, str], config_file: str) -> tuple[str, ...]:
    """Parse ``tag_requests``: a switch, or hosts beside those that are near."""
    words = own.get("tag_requests", "on").replace(",", " ").split()
    if len(words) == 1 and words[0].lower() in _SWITCH:
        return (NEAR,) if _SWITCH[words[0].lower()] else ()
    # a name without a dot is near anyway, and a switch with a slip of the pen must not pass for a host
    if not words or any("/" in word or not {".", ":", "*"} & set(word) for word in words):
        raise _invalid("tag_requests", " ".join(words), config_file, "on, off or names of hosts")
    return (NEAR, *words)


def _invalid(name: str, text: str, config_file: str, wanted: str) -> HookError:
    return HookError(f"{name}={text} (from [vmpilot_cov] in {config_file}) is not {wanted} (setting-invalid)")
