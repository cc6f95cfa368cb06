from __future__ import annotations

import json
import re
import shutil
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S
from tests.e2e.example import Example, deploy

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("tests/coverage.sh", "bin/coverage.sh", "bin/full_coverage.sh", "bin/combine_coverage.sh")
OF_PYTEST = ("tests/coverage.sh", "bin/full_coverage.sh")
OF_COMMAND = {"bin/coverage.sh": "serve", "bin/combine_coverage.sh": "combine"}
VERDICTS = {
    "75": (0, r"Required test coverage of 75% reached\. Total coverage: (7[5-9]|8\d|9\d)\.\d\d%"),
    "100": (1, r"FAIL Required test coverage of 100% not reached\. Total coverage: \d\d\.\d\d%"),
}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """Deploy the example with the scripts in its ``bin`` and ``tests``; of its tests the unit tests are left.

    Its configured server has been run by ``bin/coverage.sh``, was asked for one answer, and has ended.
    """
    made = deploy(tmp_path_factory.mktemp("scripts"))
    (made.path / "bin").mkdir()
    for name in SCRIPTS:
        shutil.copy(ROOT / name, made.path / name)
    for name in ("tests/e2e", "tests/scripts"):
        shutil.rmtree(made.path / name)
    config = made.path / ".coveragerc"
    config.write_text(config.read_text().replace("--port 9099", f"--port {made.port}"))
    server = made.start("bin/coverage.sh")
    try:
        made.wait_until_it_answers()
        ask(made, "calculate 6 * 7 then run wordcount: one two")
        server.terminate()
        output, _ = server.communicate(timeout=60)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == -signal.SIGTERM, output
    return made


def ask(example: Example, question: str) -> None:
    """Ask the server one question, and take the answer as a stream."""
    body = {"model": "assistant_pipeline", "messages": [{"role": "user", "content": question}], "stream": True}
    request = urllib.request.Request(
        f"{example.url}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer pipelines", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert "data: [DONE]" in answer.read().decode()


def run(example: Example, *words: str, **env: str) -> tuple[int, list[str]]:
    """Run a script from another folder; return its exit code and the lines that it printed."""
    plain = {"PYTEST_ADDOPTS": "-p vmpilot_cov -p no:cacheprovider"}
    code, output = example.run(
        "bash", "-c", 'cd / && exec "$0" "$@"', str(example.path / words[0]), *words[1:], **plain, **env
    )
    return code, output.splitlines()


def verdict_of(lines: list[str]) -> str:
    """Find the verdict: the last line, or the last but one where pytest has the last word."""
    return lines[-2] if re.match(r"=+ .* in .*s =+$", lines[-1]) else lines[-1]


def test_server_script_runs_the_configured_server(example: Example) -> None:
    """``bin/coverage.sh`` without a command starts ``server_command``, and its data is published when it has ended."""
    found = example.lines(".coverage.pipeline", "pipeline")
    assert {"server/main.py", "server/completion.py", "assistant/tools/wordcount.py"} <= found.keys()


def test_server_script_runs_a_command(example: Example) -> None:
    """``bin/coverage.sh CMD`` runs the command in the project's root and passes its exit code through."""
    code, lines = run(example, "bin/coverage.sh", "bash", "-c", "pwd; exit 3")
    assert (code, lines[0]) == (3, str(example.path))


@pytest.mark.parametrize("threshold", ["75", "100"])
@pytest.mark.parametrize("name", ["tests/coverage.sh", "bin/combine_coverage.sh"])
def test_threshold(example: Example, name: str, threshold: str) -> None:
    """``-f`` decides the exit code, from whatever folder the script is started, and the verdict is said."""
    if name == "bin/combine_coverage.sh" and not (example.path / ".coverage.tests").exists():
        run(example, "tests/coverage.sh")
    code, lines = run(example, name, "-f", threshold)
    expected, pattern = VERDICTS[threshold]
    assert (code, bool(re.fullmatch(pattern, verdict_of(lines)))) == (expected, True), "\n".join(lines)


def test_full_script(example: Example) -> None:
    """``bin/full_coverage.sh`` judges the tests and the server together, shows missing lines and writes HTML."""
    code, lines = run(example, "bin/full_coverage.sh", "-f", "75")
    assert (code, bool(re.fullmatch(VERDICTS["75"][1], verdict_of(lines)))) == (0, True), "\n".join(lines)
    origins = [line.split()[0] for line in lines if re.match(r"(unit|e2e|pipeline) ", line)]
    assert origins == ["unit", "pipeline"]
    assert any(re.match(r"Name +Stmts +Miss +Cover +Missing", line) for line in lines)
    assert (example.path / "htmlcov" / "index.html").is_file()


def test_full_script_below_the_threshold(example: Example) -> None:
    """``bin/full_coverage.sh -f 100`` exits with 1 although every test passes."""
    code, lines = run(example, "bin/full_coverage.sh", "-f", "100")
    assert (code, bool(re.fullmatch(VERDICTS["100"][1], verdict_of(lines)))) == (1, True), "\n".join(lines)
    assert "failed" not in lines[-1]


def test_words_go_to_pytest(example: Example) -> None:
    """What comes after the options of ``tests/coverage.sh`` is for pytest; an option needs ``--`` before it."""
    code, lines = run(example, "tests/coverage.sh", "-f", "1", "--", "-k", "calculator", "--cov-report=")
    assert (code, verdict_of(lines)[:36]) == (0, "Required test coverage of 1% reached")
    assert " deselected" in lines[-1]
    assert not any(line.startswith("TOTAL ") for line in lines)


@pytest.mark.parametrize("name", OF_COMMAND)
def test_a_script_of_the_command_is_the_command(example: Example, name: str) -> None:
    """Help and errors of a script that runs ``vmpilot-cov`` are those of its subcommand."""
    code, lines = run(example, name, "-h")
    assert (code, lines[0].startswith(f"usage: vmpilot-cov {OF_COMMAND[name]} [-h]")) == (0, True)
    code, lines = run(example, name, "--no-such-option")
    error = f"vmpilot-cov {OF_COMMAND[name]}: error: unrecognized arguments: --no-such-option"
    assert (code, lines[-1]) == (2, error)


@pytest.mark.parametrize("name", OF_PYTEST)
def test_help(example: Example, name: str) -> None:
    """``-h`` says how the script is used, with an example, and exits with 0."""
    code, lines = run(example, name, "-h")
    assert (code, lines[0].startswith(f"usage: {name} [-h]")) == (0, True)
    assert any(line.startswith(f"example: {name}") for line in lines)


@pytest.mark.parametrize("name", OF_PYTEST)
def test_unknown_option(example: Example, name: str) -> None:
    """An unknown option is one line that leads to the help, and the exit code 2."""
    code, lines = run(example, name, "--no-such-option")
    assert (code, len(lines)) == (2, 1)
    assert re.fullmatch(rf"{name}: unknown option --no-such-option.*; see {name} -h", lines[0])


@pytest.mark.parametrize("name", OF_PYTEST)
def test_threshold_is_missing(example: Example, name: str) -> None:
    """``-f`` without a percentage is one line, and the exit code 2."""
    assert run(example, name, "-f") == (2, [f"{name}: -f needs a percentage; see {name} -h"])


@pytest.mark.parametrize(("name", "expected"), [("tests/coverage.sh", 4), ("bin/combine_coverage.sh", 2)])
def test_threshold_that_is_no_percentage(example: Example, name: str, expected: int) -> None:
    """``-f 175`` is refused with the value and the range, before anything is run."""
    code, lines = run(example, name, "-f", "175")
    text = "fail_under=175 (from the command line) is not a percentage; use 0 to 100 (fail-under-range)"
    assert (code, [line.rpartition(": ")[2] for line in lines if line.endswith("range)")]) == (expected, [text])


@pytest.mark.parametrize("name", SCRIPTS)
def test_python_is_missing(example: Example, name: str) -> None:
    """Without the Python that was named, one line says so."""
    code, (line,) = run(example, name, PYTHON="/no/such/python")
    assert code == (2 if name in OF_PYTEST else 127)
    assert "/no/such/python" in line
