from __future__ import annotations

import logging

import pytest  # noqa: TC002 - a plain import is what every test file has

from server_hook.problems import Problems, log_problem

FULL = OSError(28, "No space left on device")


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Show what was logged: logger, level and text."""
    return [(record.name, record.levelname, record.getMessage()) for record in caplog.records]


def test_a_problem_is_one_warning_of_our_logger(caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong in somebody's process is one line through a logger that he knows."""
    log_problem("it broke (some-slug)")
    expected = [("vmpilot_cov", "WARNING", "vmpilot-cov: it broke (some-slug)")]
    assert expected == logged(caplog)


def test_a_problem_never_raises(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where logging itself fails the line goes to stderr, and the process runs on."""

    def fail(*_: object) -> None:
        raise OSError("Bad file descriptor")

    with monkeypatch.context() as broken:  # pytest itself logs after the test
        broken.setattr(logging, "getLogger", fail)
        log_problem("it broke")
    expected = ("", "vmpilot-cov: it broke\n")
    assert expected == tuple(capsys.readouterr())


def test_each_kind_of_problem_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A problem that stays is not logged each second; one of another kind is, and the latest is kept."""
    problem = Problems()
    for text in ("first", "second"):
        problem.report("some-slug", text)
    expected = ["vmpilot-cov: first (some-slug)"]
    assert (expected, "second (some-slug)") == (caplog.messages, problem.latest)
    problem.report("other-slug", "third")
    expected = ["vmpilot-cov: first (some-slug)", "vmpilot-cov: third (other-slug)"]
    assert (expected, "third (other-slug)") == (caplog.messages, problem.latest)


def test_a_folder_that_can_be_written_again_is_no_problem(caplog: pytest.LogCaptureFixture) -> None:
    """When a full disk has room again the problem is over; when it is full once more that is said once more."""
    problem = Problems()
    text = "/data cannot be written (No space left on device); data waits in memory (folder-unwritable)"
    problem.unwritable("/data", FULL)
    assert text == problem.latest
    problem.writable()
    assert not problem.latest
    problem.unwritable("/data", FULL)
    expected = [f"vmpilot-cov: {text}"] * 2
    assert expected == caplog.messages


def test_writing_ends_no_other_problem() -> None:
    """A segment that could be written says nothing about problems of other kinds."""
    problem = Problems()
    problem.report("some-slug", "it broke")
    problem.writable()
    expected = "it broke (some-slug)"
    assert expected == problem.latest


def test_writing_again_ends_only_its_own_problem() -> None:
    """A problem of another kind that came after a full disk stays when there is room again."""
    problem = Problems()
    problem.unwritable("/data", FULL)
    problem.report("some-slug", "it broke")
    problem.writable()
    expected = "it broke (some-slug)"
    assert expected == problem.latest
