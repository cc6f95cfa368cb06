"""Beside plugins that run tests in another order, again, with a limit, in a loop, or with data of their own."""

from __future__ import annotations

import pytest

from tests.conftest import Project, lines_in, numbered
from tests.plugin.conftest import CORES, expected, run_beside, without_inits

WORK = """
    import asyncio
    import time


    def first():
        return 1  # first


    def last():
        return 2  # last


    def hang():
        time.sleep(600)  # hang
        return 3


    async def wait():
        before = 4  # wait
        await asyncio.sleep(0)  # wait
        return before  # wait


    def classify(number):
        if number > 100:
            raise ValueError(number)  # large
        return "small"  # small
"""

SETTINGS = """
    from app.names import ENGINE  # settings

    SECRET_KEY = "no secret"  # settings
    INSTALLED_APPS = ["app.shop"]  # settings
    DATABASES = {"default": {"ENGINE": ENGINE, "NAME": ":memory:"}}  # settings
    ROOT_URLCONF = "app.urls"  # settings
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"  # settings
    USE_TZ = True  # settings
"""
MODELS = """
    from django.db import models  # models


    class Book(models.Model):  # models
        title = models.CharField(max_length=9)  # models

        class Meta:  # models
            app_label = "shop"  # models

        def shout(self):  # models
            return self.title.upper()  # unit e2e
"""
URLS = """
    from django.http import HttpResponse  # e2e
    from django.urls import path  # e2e

    from app.shop.models import Book  # e2e


    def index(request):  # e2e
        return HttpResponse(Book(title="page").shout())  # e2e


    urlpatterns = [path("", index)]  # e2e
"""


@pytest.fixture
def work(project: Project) -> Project:
    """Give a project in which every warning is an error."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\nfilterwarnings = error\n")
    project.write("app/work.py", WORK)
    return project


def lines_of(project: Project, origin: str | None = None) -> set[int]:
    """Return the lines of ``work.py`` that were counted."""
    return set(lines_in(project.path / ".coverage", origin)["work.py"])


def test_in_any_order(app: Project) -> None:
    """Tests that pytest-randomly shuffles reach the same lines of each origin."""
    pytest.importorskip("pytest_randomly")
    done = run_beside(app, "randomly", "-v", "--randomly-seed=1")
    assert done.returncode == 0, done.stdout + done.stderr
    order = [line.partition("::")[2][:6] for line in done.stdout.splitlines() if "PASSED" in line]
    assert len(order) == 4
    assert order != sorted(order)
    tests = app.path / ".coverage.tests"
    assert without_inits(lines_in(tests, "unit")) == expected("unit")
    assert without_inits(lines_in(tests, "e2e")) == expected("e2e")


def test_what_is_run_again_counts_each_time(work: Project) -> None:
    """A test that pytest-rerunfailures runs twice counts what both runs reached, for its origin; the run is whole."""
    pytest.importorskip("pytest_rerunfailures")
    work.write(
        "test_flaky.py",
        """
        import pytest
        from app import work

        RUNS = []

        @pytest.mark.e2e
        def test_flaky():
            RUNS.append(work.last() if RUNS else work.first())
            assert len(RUNS) == 2

        def test_after():
            pass
        """,
    )
    done = run_beside(work, "rerunfailures", "--reruns=1", "-x", "--cov-fail-under=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 1 rerun" in done.stdout
    assert lines_of(work, "e2e") >= set(numbered(WORK, "first", "last"))
    assert not lines_of(work, "unit") & set(numbered(WORK, "first", "last"))


SLOW = """
    from app import work

    def test_slow():
        work.first()
        work.hang()

    def test_after():
        work.last()
"""


def test_a_test_that_a_signal_ends_is_counted(work: Project) -> None:
    """A test that pytest-timeout ends by SIGALRM counts up to there; the others are run, and the verdict is given."""
    pytest.importorskip("pytest_timeout")
    work.write("test_slow.py", SLOW)
    done = run_beside(work, "timeout", "--timeout=3", "--timeout-method=signal", "--cov-fail-under=1")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "Required test coverage of 1% reached" in done.stdout
    assert lines_of(work) >= set(numbered(WORK, "first", "hang", "last"))


def test_a_session_that_a_timeout_ends_keeps_its_data(work: Project) -> None:
    """Where pytest-timeout ends the whole process there is no verdict, but all data is there to be combined."""
    pytest.importorskip("pytest_timeout")
    work.write("test_slow.py", SLOW)
    done = run_beside(work, "timeout", "--timeout=3", "--timeout-method=thread", "--cov-fail-under=1")
    assert done.returncode == 1
    assert "Timeout" in done.stdout + done.stderr
    assert "Required test coverage" not in done.stdout
    combined = work.run("vmpilot-cov", "combine", "-f", "1")
    assert combined.returncode == 0, combined.stdout + combined.stderr
    assert "Required test coverage of 1% reached" in combined.stdout
    assert lines_of(work, "unit") >= set(numbered(WORK, "first", "hang"))
    assert not lines_of(work) & set(numbered(WORK, "last"))


def test_coroutines_count_for_their_test(work: Project) -> None:
    """What a test of pytest-asyncio awaits counts for its origin, the lines after an ``await`` included."""
    pytest.importorskip("pytest_asyncio")
    work.write(
        "test_async.py",
        """
        import pytest
        from app import work

        @pytest.mark.asyncio
        @pytest.mark.e2e
        async def test_waits():
            assert await work.wait() == 4

        @pytest.mark.asyncio
        async def test_calls():
            assert work.last() == 2
        """,
    )
    done = run_beside(work, "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")
    assert done.returncode == 0, done.stdout + done.stderr
    marked = set(numbered(WORK, "wait", "last"))
    assert lines_of(work, "e2e") & marked == set(numbered(WORK, "wait"))
    assert lines_of(work, "unit") & marked == set(numbered(WORK, "last"))


def test_django_is_measured_from_its_settings_on(project: Project) -> None:
    """Settings and models, which pytest-django loads before any conftest, are measured, and views as they are asked."""
    pytest.importorskip("pytest_django")
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write(
        "pytest.ini",
        "[pytest]\npythonpath = .\nfilterwarnings = error\nDJANGO_SETTINGS_MODULE = app.settings\n",
    )
    project.write("app/names.py", 'ENGINE = "django.db.backends.sqlite3"\n')
    project.write("app/settings.py", SETTINGS)
    project.write("app/shop/models.py", MODELS)
    project.write("app/urls.py", URLS)
    project.write(
        "test_shop.py",
        """
        import pytest
        from app.shop.models import Book

        @pytest.mark.django_db
        def test_model():
            Book.objects.create(title="book")
            assert Book.objects.get().shout() == "BOOK"

        @pytest.mark.e2e
        def test_page(client):
            assert client.get("/").content == b"PAGE"
        """,
    )
    done = run_beside(project, "django", "--no-migrations")
    assert done.returncode == 0, done.stdout + done.stderr
    unit, e2e = (lines_in(project.path / ".coverage", origin) for origin in ("unit", "e2e"))
    assert unit == {
        "names.py": [1],
        "settings.py": numbered(SETTINGS, "settings"),
        "models.py": numbered(MODELS, "models", "unit"),
    }
    assert e2e["urls.py"] == numbered(URLS, "e2e")
    assert e2e["models.py"] == numbered(MODELS, "models", "e2e")


@pytest.mark.parametrize("core", CORES)
def test_hypothesis_and_coverage_leave_each_other_alone(work: Project, core: str) -> None:
    """A failing example that hypothesis shrinks and explains, by a tracer of its own, takes no line from us."""
    pytest.importorskip("hypothesis")
    work.write(
        "test_property.py",
        """
        from hypothesis import given, settings, strategies
        from app import work

        @given(strategies.integers(), strategies.integers())
        @settings(derandomize=True, database=None)
        def test_classify(number, other):
            assert work.classify(number) == "small"

        def test_after():
            assert work.last() == 2
        """,
    )
    done = run_beside(work, "hypothesispytest", env={"COVERAGE_CORE": core})
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "number=101" in done.stdout
    assert lines_of(work) >= set(numbered(WORK, "small", "large", "last"))
