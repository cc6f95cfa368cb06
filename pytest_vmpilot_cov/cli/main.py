"""The command ``vmpilot-cov``: what each subcommand is called, takes and returns."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_vmpilot_cov.cli.output import show, show_problem
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import TYPED, Options, Setting
from pytest_vmpilot_cov.options.flags import parse_fail_under
from pytest_vmpilot_cov.options.options import make_options, parse_require
from pytest_vmpilot_cov.options.report_kinds import FILE_KINDS, TERMINAL_KINDS, parse_report, report_requests
from server_hook.problems import HookError

FAILED, MISUSED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0, 1 where the threshold failed or nothing was there, 2 for misuse."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    words, command = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parsed = build_parser().parse_args(words)
    parsed.command = command
    act: Callable[[argparse.Namespace], int] = parsed.act
    try:
        return act(parsed)
    except (UsageError, HookError) as error:
        show_problem(error)
        return MISUSED


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command."""
    parser = argparse.ArgumentParser(
        prog="vmpilot-cov",
        description="Coverage of unit tests, E2E tests and the live pipeline server, judged together.",
        epilog="example: vmpilot-cov serve -- python -m uvicorn main:app --port 9099",
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(verbs)
    _add_run(verbs)
    _add_combine(verbs)
    _add_report(verbs)
    text = "ask live servers to write what they have; with --reset they begin anew"
    dump = _verb(verbs, "dump", _dump, text, "vmpilot-cov dump --reset")
    dump.add_argument("--reset", action="store_true", help="what was reached so far counts no more, start-up excepted")
    status = _verb(verbs, "status", _status, "show which processes are recording", "vmpilot-cov status")
    erase = _verb(verbs, "erase", _erase, "delete our data files and segments, nothing else", "vmpilot-cov erase")
    status.add_argument("--paths", dest="as_section", action="store_true", help="print [paths] for coverage.py instead")
    for verb in (dump, status, erase):
        verb.add_argument("paths", nargs="*", metavar="PATH", type=Path, help="data folders, instead of the usual ones")
    text = "explain whether recording works here, and what would be combined"
    _verb(verbs, "doctor", _doctor, text, "vmpilot-cov doctor -- python -m uvicorn main:app")
    demo = _verb(verbs, "demo", _demo, "measure the example that comes with the package", "vmpilot-cov demo")
    demo.add_argument("-f", "--fail-under", type=parse_fail_under, metavar="MIN", default=75.0, help="threshold")
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    act: Callable[[argparse.Namespace], int],
    text: str,
    example: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=f"example: {example}")
    verb.set_defaults(act=act)
    verb.add_argument("--config", metavar="PATH", default="", help="configuration, or the folder that holds it")
    return verb


def _add_serve(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _verb(
        verbs,
        "serve",
        _serve,
        "run a server and record it as pipeline; signals and the exit code pass through",
        "vmpilot-cov serve -- python -m uvicorn main:app --port 9099",
    )


def _add_run(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = _verb(
        verbs,
        "run",
        _run,
        "run any command; its Python processes are added to .coverage.tests",
        "vmpilot-cov run --origin e2e -- ./tests/scripts/chat.sh",
    )
    run.add_argument("--origin", choices=("unit", "e2e"), default="e2e", help="whose data it is (default e2e)")


def _add_combine(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    combine = _verb(
        verbs,
        "combine",
        _combine,
        "ask live servers, combine what is there into .coverage, and judge it",
        "vmpilot-cov combine -f 75",
    )
    _add_judging(combine)
    text = "data files, folders, archives, patterns or URLs, and no others; unit=PATH says whose data it is"
    combine.add_argument("paths", nargs="*", metavar="PATH", help=text)


def _add_report(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    report = _verb(
        verbs,
        "report",
        _report,
        "report on what lies here, without asking servers and without writing data files",
        "vmpilot-cov report --cov-report=term-missing",
    )
    _add_judging(report)
    report.set_defaults(paths=[])


def _add_judging(verb: argparse.ArgumentParser) -> None:
    kinds = ", ".join(TERMINAL_KINDS + FILE_KINDS)
    verb.add_argument("-f", "--fail-under", type=parse_fail_under, metavar="MIN", help="threshold in percent")
    verb.add_argument(
        "--cov-report", action="append", type=parse_report, metavar="TYPE", default=[], help=f"reports: {kinds}"
    )
    verb.add_argument("--require", action="append", metavar="ORIGIN", default=[], help="origins that must have data")


def _serve(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.serve import configured_command, serve

    options = _options(parsed)
    return serve(options, parsed.command or configured_command(options))


def _run(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.serve import run

    options = _options(parsed)
    if not parsed.command:
        raise UsageError(say("command-missing", verb="run", example="./tests/scripts/chat.sh"))
    return run(options, parsed.origin, parsed.command)


def _combine(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.progress import Progress
    from pytest_vmpilot_cov.collect.processes import Scope
    from pytest_vmpilot_cov.hooks.hooks import hooks_of_command
    from pytest_vmpilot_cov.verdict import reach_verdict

    options, progress = _options(parsed), Progress()
    if not parsed.paths:
        with contextlib.closing(progress):
            outcome = reach_verdict(options, Scope(tick=progress.tick), hooks_of_command())
        return _show(options, outcome)
    from pytest_vmpilot_cov.collect.artifacts import open_artifacts

    with contextlib.closing(progress), open_artifacts(parsed.paths, progress.tick) as found:
        if not found.places:
            return _say_nothing(options, found.problems, parsed.paths)
        scope = Scope(only=tuple(place.path for place in found.places), told=found.places, tick=progress.tick)
        outcome = reach_verdict(options, scope, hooks_of_command())
        progress.close()
        return _show(options, replace(outcome, problems=(*found.problems, *outcome.problems)), parsed.paths)


def _report(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.progress import Progress
    from pytest_vmpilot_cov.collect.processes import Scope
    from pytest_vmpilot_cov.hooks.hooks import hooks_of_command
    from pytest_vmpilot_cov.verdict import reach_verdict

    options, progress = _options(parsed), Progress()
    with contextlib.closing(progress):
        outcome = reach_verdict(options, Scope(ask=False, tick=progress.tick), hooks_of_command(), keep=False)
    return _show(options, outcome)


def _show(options: Options, outcome: object, named: Sequence[str] = ()) -> int:
    from pytest_vmpilot_cov.model import Outcome
    from pytest_vmpilot_cov.report.terminal import section
    from pytest_vmpilot_cov.report.warnings import warnings_of

    assert isinstance(outcome, Outcome)
    if not outcome.figures.total.reached:
        return _say_nothing(options, warnings_of(outcome, options), named)
    for line in section(outcome, options):
        show(line.text)
    return 0 if outcome.verdict.passed else FAILED


def _say_nothing(options: Options, problems: Iterable[str], named: Sequence[str]) -> int:
    """Say that there is nothing to judge, and all that may be the reason."""
    for problem in problems:
        show_problem(problem)
    places = ", ".join(dict.fromkeys(named or [str(place.value) for place in options.places]))
    config = options.settings.config_file or options.settings.folder
    show_problem(say("nothing-to-combine", places=places, config=config))
    return FAILED


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
    for finding in examine(_options(parsed), parsed.command):
        show(f"{'ok   ' if finding.good else 'WRONG'} {finding.text}")
        wrong += not finding.good
    return FAILED if wrong else 0


def _demo(parsed: argparse.Namespace) -> int:
    from pytest_vmpilot_cov.cli.demo import run_demo

    return run_demo(parsed.fail_under)


def _options(parsed: argparse.Namespace) -> Options:
    """Resolve what was typed, with the configuration of the folder where the command was typed."""
    from server_hook.config.files import find_config_above, locate

    here = Path.cwd()
    config = locate(parsed.config)[0] or parsed.config if parsed.config else find_config_above(str(here)) or str(here)
    fail_under = getattr(parsed, "fail_under", None)
    return make_options(
        Path(locate(config)[1]),
        config,
        fail_under=None if fail_under is None else Setting(fail_under, TYPED),
        reports=report_requests(getattr(parsed, "cov_report", ())),
        require=parse_require(getattr(parsed, "require", ()), "--require"),
    )
