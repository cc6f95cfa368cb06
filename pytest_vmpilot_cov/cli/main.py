"""The command ``vmpilot-cov``: what each subcommand is called, takes and returns."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from pytest_vmpilot_cov.cli.arguments import add_arguments
from pytest_vmpilot_cov.cli.output import show, show_problem
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import TYPED, Options, Setting
from pytest_vmpilot_cov.options.options import make_options, parse_require, requested_change
from pytest_vmpilot_cov.options.report_kinds import report_requests
from server_hook.problems import HookError

FAILED, MISUSED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0, 1 where the threshold failed or nothing was there, 2 for misuse."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # split before argparse: options after -- belong to the command, however much they look like ours
    words, command = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parsed, unknown = build_parser().parse_known_args(words)  # parse_args would not name a missing --
    if unknown:
        _refuse(parsed, unknown)
    parsed.command = command
    act: Callable[[argparse.Namespace], int] = parsed.act
    try:
        return act(parsed)
    except (UsageError, HookError) as error:
        show_problem(error)
        return MISUSED


def _refuse(parsed: argparse.Namespace, unknown: Sequence[str]) -> NoReturn:
    """End with the usage of the subcommand, and name the ``--`` where a command was typed without it."""
    is_command = parsed.act in (_serve, _run, _doctor) and not unknown[0].startswith("-")
    cure = f"; write the command after --, as in: vmpilot-cov {parsed.verb} -- {' '.join(unknown)}"
    parser: argparse.ArgumentParser = parsed.parser
    parser.error(f"unrecognized arguments: {' '.join(unknown)}{cure if is_command else ''}")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command."""
    parser = argparse.ArgumentParser(
        prog="vmpilot-cov",
        description="Coverage of unit tests, E2E tests and the live pipeline server, judged together.",
        epilog="example: vmpilot-cov serve -- python -m uvicorn main:app --port 9099",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the versions of vmpilot-cov and coverage.py")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, act, text, example in _VERBS:
        verb = verbs.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=f"example: {example}"
        )
        verb.set_defaults(act=act, verb=name, parser=verb)
        verb.add_argument("--config", metavar="PATH", default="", help="configuration, or the folder that holds it")
        add_arguments(name, verb)
    return parser


class _Version(argparse.Action):
    """Show the versions and exit; they are looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        show(f"vmpilot-cov {version('pytest-vmpilot-cov')}, coverage {version('coverage')}")
        parser.exit()


def _serve(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.serve import configured_command, serve

    options = _options(parsed)
    return serve(options, parsed.command or configured_command(options))


def _run(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.serve import run

    options = _options(parsed)
    if not parsed.command:
        # no fallback as in serve: there is no configured command to run
        raise UsageError(say("command-missing", verb="run", example="./tests/scripts/chat.sh"))
    return run(options, parsed.origin, parsed.command)


def _combine(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.combine import combine

    return combine(_as_session(parsed), parsed.paths)


def _report(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.combine import report

    return report(_as_session(parsed), parsed.origin)


def _who(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.who import who

    return who(_as_session(parsed), parsed.place, parsed.paths)


def _tests(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.who import tests

    return tests(_as_session(parsed), parsed.test, parsed.paths)


def _affected(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.affected import affected

    return affected(_as_session(parsed), parsed.since, parsed.paths)


def _baseline(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.baseline import write_baseline
    from pytest_vmpilot_cov.cli.combine import say_nothing

    options = _as_session(parsed)
    line = write_baseline(options)
    if not line:
        return say_nothing(options, (), ())
    show(line)
    return 0


def _dump(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.dump import dump

    done = dump(_options(parsed), parsed.paths, reset=parsed.reset)
    for line in done.lines:
        show(line)
    for problem in done.problems:
        show_problem(problem)
    return FAILED if done.problems else 0


def _status(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.status import paths_lines, status_lines

    say_of = paths_lines if parsed.as_section else status_lines
    for line in say_of(_options(parsed), parsed.paths):
        show(line)
    return 0


def _erase(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.erase import erase

    for line in erase(_options(parsed), parsed.paths):
        show(line)
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.doctor import examine

    wrong = 0
    # printed one by one: trying an interpreter may take a while
    for finding in examine(_options(parsed), parsed.command):
        show(f"{'ok   ' if finding.good else 'WRONG'} {finding.text}")
        wrong += not finding.good
    return FAILED if wrong else 0


def _live(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.live import live

    return live(_as_session(parsed), parsed.port)


def _demo(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.demo import run_demo

    return run_demo(parsed.fail_under)


def _as_session(parsed: argparse.Namespace) -> Options:
    """Resolve what was typed, with what the last session measured here; data that was named may be of any."""
    from pytest_vmpilot_cov.cli.last_session import as_last_session

    options = _options(parsed)
    if getattr(parsed, "paths", None):
        return options
    return as_last_session(options, None if parsed.config else lambda config: _options(parsed, config))


def _options(parsed: argparse.Namespace, config: str = "") -> Options:
    """Resolve what was typed, with the configuration of the folder where the command was typed."""
    from server_hook.config.files import find_config_above, locate

    here = Path.cwd()
    # a folder stands for itself if it holds no configuration
    if not config:
        typed = parsed.config
        config = locate(typed)[0] or typed if typed else find_config_above(str(here)) or str(here)
    fail_under = getattr(parsed, "fail_under", None)  # not every verb judges
    annotations = getattr(parsed, "annotations", False)
    options = make_options(
        Path(locate(config)[1]),
        config,
        fail_under=None if fail_under is None else Setting(fail_under, TYPED),
        reports=report_requests(getattr(parsed, "cov_report", ())),
        require=parse_require(getattr(parsed, "require", ()), "--require"),
        change=requested_change(getattr(parsed, "changed", None), annotations, "--changed"),
    )
    return replace(options, annotations=annotations)


_VERBS: tuple[tuple[str, Callable[[argparse.Namespace], int], str, str], ...] = (
    (
        "serve",
        _serve,
        "run a server and record it as pipeline; signals and the exit code pass through",
        "vmpilot-cov serve -- python -m uvicorn main:app --port 9099",
    ),
    (
        "run",
        _run,
        "run any command; its Python processes are added to .coverage.tests",
        "vmpilot-cov run --origin e2e -- ./tests/scripts/chat.sh",
    ),
    (
        "combine",
        _combine,
        "ask live servers, combine what is there into .coverage, and judge it",
        "vmpilot-cov combine -f 75",
    ),
    (
        "report",
        _report,
        "report on what lies here, without asking servers and without writing data files",
        "vmpilot-cov report --cov-report=term-missing",
    ),
    (
        "who",
        _who,
        "show which origins, processes and tests ran a line, a range of lines or a file",
        "vmpilot-cov who app/main.py:12",
    ),
    ("tests", _tests, "show what a test ran, in which process", "vmpilot-cov tests test_chat"),
    (
        "affected",
        _affected,
        "list the tests that a change to the sources affects, and why",
        "vmpilot-cov affected --since main",
    ),
    (
        "baseline",
        _baseline,
        "write down how much of each file was reached, for thresholds that are baseline",
        "vmpilot-cov baseline",
    ),
    (
        "live",
        _live,
        "serve the page to a browser, and show what live servers reach as they reach it",
        "vmpilot-cov live",
    ),
    (
        "dump",
        _dump,
        "ask live servers to write what they have; with --reset they begin anew",
        "vmpilot-cov dump --reset",
    ),
    ("status", _status, "show which processes are recording", "vmpilot-cov status"),
    ("erase", _erase, "delete our data files and segments, nothing else", "vmpilot-cov erase"),
    (
        "doctor",
        _doctor,
        "explain whether recording works here, and what would be combined",
        "vmpilot-cov doctor -- python -m uvicorn main:app",
    ),
    ("demo", _demo, "measure the example that comes with the package", "vmpilot-cov demo"),
)
