"""Every warning and error of the plugin and the command, once, with its slug; docs/messages.md explains each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from server_hook.problems import printable, printable_lines

# here and nowhere else: a test compares the slugs with docs/messages.md
_TEXTS: Final = {
    "fail-under-range": "{name}={value} (from {where}) is not a percentage; use 0 to 100",
    "fail-under-unknown": "{name}={value} (from {where}) is not a threshold; use total, each, changed, "
    "unit, e2e, pipeline, or a path pattern such as src/app/*",
    "fail-under-pattern": "{name}={value} (from {where}) has a pattern that coverage.py refuses: {why}",
    "precision-range": "precision={value} is not a number of digits; use 0 or more",
    "origin-unknown": "{value!r} (from {where}) is not an origin; use unit, e2e or pipeline, several with commas",
    "report-unknown": "--cov-report={value} is not a report; use {choices}, file kinds with :DEST",
    "report-not-of-pytest-cov": "--cov-report={kind} is not a report of pytest-cov, which measures here; add "
    "--vmpilot-cov",
    "report-same-file": "markdown and markdown-append cannot both write {path}; give one of them another :DEST",
    "context-unknown": "--cov-context={value} is not a context; use test",
    "context-refused": "Detected dynamic_context=test_function in {config}, which does not work with pytest-xdist; "
    "use --cov-context=test instead",
    "context-unused": "Detected {name}={value} in {config}, which isn't used; --cov-context=test records which test "
    "ran each line",
    "cov-without-effect": "--cov measures nothing here, because pytest-cov is not loaded; add --vmpilot-cov",
    "option-without-effect": "without effect, because --vmpilot-cov was not given and pytest-cov is not loaded: "
    "{flags}",
    "variable-withheld": "VMPILOT_COV={value} is kept from what the tests start, because this session does not "
    "measure; add --vmpilot-cov",
    "no-startup-line": "{python} has no start-up line, so VMPILOT_COV does nothing for it; install the package into "
    "one of its site folders with pip, or start as docs/starting.md says",
    "no-cov": "nothing is measured, because of --no-cov",
    "no-cov-on-fail": "Coverage is neither reported nor judged, because a test has failed",
    "setting-unknown": "[vmpilot_cov] {name} in {where} is not a setting; use one of {choices}",
    "setting-invalid": "{name}={value} (from [vmpilot_cov] in {where}) is not {wanted}",
    "data-unreadable": "{path} cannot be read as coverage data and does not count: {why}",
    "data-empty": "{path} holds no executed line; was the process measured with the right source?",
    "data-refused": "{path} does not count: {why}",
    "source-refused": "source {path} does not count: {why}",
    "data-nowhere": "{place} holds no coverage data: no data file, no .vmpilot-cov and no archive of them",
    "store-needs": "{url} cannot be read without a library that knows this kind of store ({why}); install it with: "
    "pip install 'pytest-vmpilot-cov[remote]'",
    "segment-torn": "{path} of process {process} does not count: {why}",
    "pipeline-not-found": "{path} (from {where}), where pipeline data should lie, does not exist; correct the path, or "
    "start the server with VMPILOT_COV={config}",
    "reset-in-future": "a reset of {folder} is dated {when}, which is in the future, and is ignored: the "
    "clock it was taken from is ahead of this one; set the clocks, and reset again",
    "server-elsewhere": "process {pid} ({command}) records files of this source into {place}, which does not count; "
    "name that place with --vmpilot-cov-pipeline or pipeline_data, or start it with VMPILOT_COV={config}",
    "server-unrecorded": "process {pid} ({command}) runs with {config} and records nothing: {why}",
    "pipeline-silent": "process {pid} ({command}) did not deliver its data: {why}; using {counted}",
    "stale-unknown": "stale={value} (from {where}) is not a way to treat stale data; use drop, fail or keep",
    "stale-kept": "{lines} that {origin} reached in {path} count although the file has changed since, "
    "as stale = keep asks",
    "stale-data": "data of {files} is older than its source; run again what made it, or vmpilot-cov erase",
    "branches-unknown": "some data of {origin} has lines only: which branches it took is unknown, "
    "and they count as missing",
    "source-missing": "source {path} (from {where}) is not a folder here, so nothing of it can be measured; {cure}",
    "source-unverified": "{files} couldn't be read when measured ({names}): they count, though they may have changed "
    "since",
    "no-source": "{files} left out, without a source here ({names}): generated, deleted or unreadable",
    "installed-copy": "nothing of {package} was reached: this Python imports {name} from {copy}, an installed copy "
    "that differs; install the project again, or with pip install -e",
    "pipeline-hidden": "all {files} that pipeline measured are left out: they are omitted, or lie outside the source "
    "({names}); compare source and omit of {config} with where the server's code lies",
    "settings-differ": "{who} measured with {name} = {theirs}, here it is {ours}; "
    "let server and tests read the same configuration, and restart the server",
    "session-differs": "the session measured with {name} = {theirs}, here it is {ours}, so its verdict was about "
    "other figures than these: {why}",
    "worker-crashed": "worker {worker} crashed: {how}; {data}",
    "worker-incomplete": "worker {worker} did not deliver all that it reached: {why}",
    "orphan-server": "process {pid} ({command}) {does} although the process that started it has ended; "
    "a server that was started since cannot have its port; its lines count; end it by its pid",
    "cannot-reset": "servers cannot be reset: {path} cannot be written ({why}); leave --vmpilot-cov-reset out, or "
    "let this user write there",
    "not-reset": "process {pid} ({command}) could not be reset: {why}; what it reached before may count, too",
    "nobody-records": "no process is recording in {places}; start one with VMPILOT_COV={config}",
    "pipeline-lost": "Pipeline: {processes} ({which}) left no data: what was killed before its first segment is lost",
    "pipeline-none": "Pipeline: no data; a server records itself when it is started with VMPILOT_COV={config}",
    "origin-required": "no executed line came from {origin}, which --vmpilot-cov-require asks for",
    "origin-without-data": "Required coverage of {required} by {origin} not reached: {origin} has no data",
    "pattern-without-files": "Required coverage of {required} of {pattern} not reached: no file of the project that "
    "has statements matches",
    "git-missing": "what this change touched is unknown: git cannot be run here ({why}); install it, or leave the "
    "threshold changed and the options about the change out",
    "git-nowhere": "what this change touched is unknown: {folder} belongs to no git repository",
    "git-refused": "what this change touched is unknown: git refuses {folder}, which belongs to another user; "
    "allow it with: git config --global --add safe.directory {folder}",
    "git-failed": "what this change touched is unknown, because git failed: {why}",
    "change-base-unknown": "what this change touched is unknown: {ref} (from {where}) is not a commit here; fetch it, "
    "or name another one with --vmpilot-cov-changed=REF",
    "change-base-shallow": "what this change touched is unknown: this clone is shallow, and where the change left "
    "{ref} is not in it; fetch the whole history (fetch-depth: 0 of actions/checkout, GIT_DEPTH: 0 on GitLab, "
    "git fetch --unshallow)",
    "change-base-unrelated": "what this change touched is unknown: HEAD and {ref} have no commit in common",
    "change-base-none": "what this change touched is unknown: HEAD is on no branch, and there is no origin/main to "
    "compare with; name a commit with --vmpilot-cov-changed=REF",
    "change-in-submodule": "the change moved {names} to another commit; lines in a submodule don't count as changed",
    "origin-nothing": "nothing that counts here was reached by {origin}, so there is nothing to report on; without "
    "--origin, the report names the data that is here",
    "baseline-missing": "there is no baseline to compare with: {path} does not exist; write it with "
    "vmpilot-cov baseline, and commit it",
    "baseline-unwritable": "{path} cannot be written: {why}",
    "baseline-broken": "{path} is not a baseline: {why}; write it again with vmpilot-cov baseline",
    "total-rounded": "the total is {total}, which is less than the required {required}",
    "nothing-measured": "nothing was measured: no statement of {source} was executed",
    "cannot-count": "coverage.py could not count: {why}",
    "cannot-write": "{path} cannot be written: {why}; the verdict stands without it",
    "report-failed": "the {report} cannot be made: {why}",
    "cannot-record": "{path} cannot be written: {why}; make it writable, or name another place by COVERAGE_FILE",
    "cannot-publish": "{path} cannot be written: {why}; the segments beside it are complete",
    "imported-early": "{files} {were} imported before measurement began, by {who}: lines that ran during import "
    "count as missing; import it later, or start with: coverage run -m pytest",
    "hook-failed": "{hook} of the plugin {plugin} failed: {why}, at {where}",
    "collector-running": "coverage.py already measures this process and writes {file}; its data counts for "
    "{origin}, because it can't tell tests apart{children}",
    "coverage-on-top": "another coverage.py took the measurement over for a while, and its settings leave out {files}: "
    "lines of these that ran meanwhile are missing; let it measure the same source, or run it in a process of its own",
    "trace-taken": "{tests} took the trace function away; what ran until it was given back is not measured",
    "child-unrecorded": "{number} that tests started in an environment without VMPILOT_COV recorded nothing: "
    "{commands}; give it the variables of os.environ as well",
    "process-incomplete": "process {pid} ({command}) could not record all that it ran: {why}",
    "already-collected": "coverage.py already measures this process ({who}); the session does not measure",
    "session-inside": "the session around this one measures and judges what it runs; for a verdict of its own, give it "
    "--vmpilot-cov on its own command line",
    "session-inside-differs": "this process is measured by the session around this one, with other settings (of "
    "{config}); run this session in a process of its own",
    "debugger-attached": "a debugger is at work ({sign}); the session does not measure and does not judge",
    "stale-source": "{lines} that {origin} reached in {path} do not count: the file has changed since",
    "command-missing": "{verb} needs a command after --, as in: vmpilot-cov {verb} -- {example}",
    "command-not-found": "{command} cannot be started: {why}",
    "nothing-recorded": "{program} ran, but none of its processes recorded anything in {folder}; "
    "is pytest-vmpilot-cov installed in the Python that runs it, and does it run files of [run] source?",
    "nothing-to-combine": "there is no data to combine in {places}; run pytest --vmpilot-cov, or a server with "
    "VMPILOT_COV={config}",
    "who-place": "{place} is no line of a file; write a line as in app/main.py:12, or a range as in app/main.py:12-20",
    "file-unmeasured": "there is no data of {file}; there is of {names}",
    "tests-unrecorded": "which test ran a line was not recorded; run: pytest --vmpilot-cov --cov-context=test",
    "test-unmatched": "no test of the data is called {test}; there are {names}",
    "live-port": "port {port} of 127.0.0.1 cannot be used: {why}; use another --port, or none for any free one",
    "demo-needs": "the demo needs {missing}; install it with: pip install 'pytest-vmpilot-cov[demo]'",
    "demo-failed": "the demo could not be prepared; {script} printed:\n{output}\n",
    "still-recording": "process {pid} ({command}) is still recording; its data stays, stop it first",
    "server-command-missing": "{who}, as in: {example}; or name one as server_command in [vmpilot_cov] of {where}",
    "server-command-invalid": "{command} cannot be split into words: {why}",
    "server-port-unknown": "{command} does not say which port it will listen on; write {{port}} in place of the port "
    "to use a free one, or name the port, as in port=9099",
    "coverage-unsupported": "coverage.py {version} lacks what is needed here ({why}); "
    "install one from {first} to {last}",
    "launch-unsupported": "{command} is not started: this system has no process groups, by which its children are "
    "ended; start it before the session, with vmpilot-cov serve",
    "server-not-up": "the server {command} {state} after {waited} s without {readiness} "
    "({problem}; waited up to {limit} s); the end of its output in {log}:\n{output}\n",
    "server-not-ours": "{who} answers at {url}, not the server that was started: {command}; "
    "end that process, or write {{port}} in place of the port to use a free one",
    "server-ended": "the server {command} {how} before it was stopped; what it reached in its last interval may be "
    "missing; its output is in {log}",
    "server-killed": "the server {command} did not end within {limit} s of SIGTERM and was killed; what it reached in "
    "its last interval may be missing",
}

SHOWN = 3
"""How many of several names a line shows; the others are dots."""

SLUGS: Final = frozenset(_TEXTS)


def say(slug: str, /, **values: object) -> str:
    """Return the message of a slug with its values filled in, the slug at its end."""
    # printable: a value may be the name of a file, with line breaks or terminal codes in it
    shown = {name: printable(value) for name, value in values.items()}
    if "output" in values:  # of a process: as many lines as it has printed
        shown["output"] = printable_lines(values["output"])
    return f"{_TEXTS[slug].format(**shown)} ({slug})"


class UsageError(Exception):
    """A setting that cannot be used; its text says where it stands and what is allowed."""


def first_of(names: Sequence[str]) -> str:
    """Name the first few of several; dots stand for the others."""
    return ", ".join([*names[:SHOWN], *(["..."] if len(names) > SHOWN else [])])


def shown_path(path: str, root: Path) -> str:
    """Name a file as reports do: relative to the root where it lies below it."""
    try:
        return printable(Path(path).relative_to(root))
    except ValueError:
        return printable(path)
