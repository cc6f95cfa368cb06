"""The rows of the matrix of servers: what serves, in how many processes, and how it ends and renews them."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from tests.server import programs

TERM, KILL_GROUP, TERM_GROUP = "SIGTERM", "SIGKILL to the group", "SIGTERM to the group"
ENDS = (TERM, KILL_GROUP, TERM_GROUP)
MAX_REQUESTS = 120
HOST = ("--host", "127.0.0.1", "--port", "PORT")


@dataclass(frozen=True)
class Row:
    """One server in one way of running it."""

    name: str
    packages: tuple[str, ...]
    """The distributions that it takes; the first is the server itself."""
    source: str
    command: tuple[str, ...]
    serving: int = 1
    """How many processes serve at a time."""
    parents: int = 0
    """How many processes run lines of the source and serve nothing."""
    renewed_by: str = ""
    """What makes it serve from a new process: requests, or a touch of a source file."""
    kills: bool = False
    """Whether its main process kills the one that serves, with SIGKILL and at once, when it gets SIGTERM."""
    stops: tuple[str, ...] = (TERM, TERM_GROUP)
    """The ends that let the application run its own shutdown, where it has one."""
    ends: tuple[str, ...] = ENDS
    """The ends that the server itself survives: it ends, and does not hang."""
    measured_from: tuple[int, int] = (3, 11)
    """The first Python on which coverage.py can measure its threads."""
    usual: bool = True
    """Whether it is tested where only one end of each row is."""
    concurrency: str = ""
    """coverage.py's setting of this name."""

    def versions(self) -> str:
        """Name what is run with its versions; a package that is not there has none."""
        named = [f"{name} {_version(name)}".strip() for name in self.packages]
        return ", ".join(named or [f"Python {platform.python_version()}"])

    def missing(self) -> str:
        """Say what the row lacks here, if anything."""
        absent = ", ".join(name for name in self.packages if not _version(name))
        if absent:
            return f"not installed: {absent}"
        return "" if sys.version_info >= self.measured_from else "the C tracer does not measure threads of Rust"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _uvicorn() -> Iterator[Row]:
    command = ("python", "-m", "uvicorn", "app.main:app", *HOST)
    plain = Row("uvicorn", ("uvicorn",), programs.ASGI, command)
    yield plain
    yield replace(plain, name="uvicorn --workers", command=(*command, "--workers", "2"), serving=2)
    reload = (*command, "--reload", "--reload-dir", "app")
    yield replace(plain, name="uvicorn --reload", command=reload, renewed_by="touch")
    yield replace(plain, name="uvicorn in a thread", command=("python", "run.py", "PORT"), stops=())


def _gunicorn() -> Iterator[Row]:
    for worker in _gunicorn_workers():
        for preload in ((), ("--preload",)):
            for recycle in ((), ("--max-requests", str(MAX_REQUESTS))):
                yield replace(
                    worker,
                    name=" ".join(["gunicorn", worker.name, *preload, *recycle]),
                    command=(*worker.command, *preload, *recycle),
                    parents=len(preload),
                    renewed_by="requests" if recycle else "",
                    usual=bool(preload) == bool(recycle),
                )


def _gunicorn_workers() -> Iterator[Row]:
    command = ("python", "-m", "gunicorn", "app.main:app", "-b", "127.0.0.1:PORT", "-w", "2", "-k")
    sync = Row("sync", ("gunicorn",), programs.WSGI, (*command, "sync"), serving=2)
    yield sync
    yield replace(sync, name="gthread", command=(*command, "gthread", "--threads", "4"))
    gevent = replace(sync, name="gevent", packages=("gunicorn", "gevent"), concurrency="gevent")
    yield replace(gevent, command=(*command, "gevent"))
    uvicorn = replace(sync, name="uvicorn", packages=("gunicorn", "uvicorn-worker", "uvicorn"), source=programs.ASGI)
    yield replace(uvicorn, command=(*command, "uvicorn_worker.UvicornWorker"))


def _others() -> Iterator[Row]:
    command = ("python", "-m", "hypercorn", "app.main:app", "-b", "127.0.0.1:PORT")
    # its workers leave SIGTERM to its default and are told to stop by an event of the main process
    yield Row("hypercorn", ("hypercorn",), programs.ASGI, command, stops=(TERM,))
    yield Row("hypercorn -w 2", ("hypercorn",), programs.ASGI, (*command, "-w", "2"), serving=2, stops=(TERM,))
    yield Row("http.server", (), programs.STANDARD, ("python", "app/main.py", "PORT"))
    # werkzeug and Django wait for their child in subprocess.call and .run, which kill it when SIGTERM makes them raise
    flask = ("python", "-m", "flask", "--app", "app.main", "run", *HOST, "--reload")
    yield Row(
        "flask run --reload", ("flask", "werkzeug"), programs.FLASK, flask, parents=1, renewed_by="touch", kills=True
    )
    django = ("python", "-m", "django", "runserver", "--settings", "app.main", "--skip-checks", "127.0.0.1:PORT")
    runserver = Row("django runserver", ("django",), programs.DJANGO, (*django, "--noreload"))
    yield replace(runserver, name="django runserver --noreload")
    yield replace(runserver, command=django, parents=1, renewed_by="touch", kills=True)
    granian = ("python", "-m", "granian", "app.main:app", *HOST, "--workers", "2", "--interface")
    yield Row("granian asgi", ("granian",), programs.ASGI, (*granian, "asgi"), serving=2)
    # its WSGI threads are started by Rust: coverage.py's C tracer is told of Python's own threads only, sysmon of all
    yield Row("granian wsgi", ("granian",), programs.WSGI, (*granian, "wsgi"), serving=2, measured_from=(3, 12))
    celery = ("python", "-m", "celery", "-A", "app.main", "worker", "-c", "2")
    # its main process waits for pool workers that SIGTERM has ended: about one time in three it does so for ever,
    # recorded or not
    ends = (TERM, KILL_GROUP)
    yield Row("celery", ("celery",), programs.CELERY, celery, serving=2, parents=1, ends=ends)


def _uwsgi() -> Iterator[Row]:
    command = (
        "uwsgi",
        "--http-socket",
        "127.0.0.1:PORT",
        "--module",
        "app.main:app",
        "--die-on-term",
        "--processes",
        "2",
    )
    # the master signals its workers as well, and uWSGI ends a worker at once that gets a second signal while it ends
    ends = (TERM, KILL_GROUP)
    plain = Row(
        "uwsgi", ("uwsgi",), programs.WSGI, (*command, "--master"), serving=2, parents=1, ends=ends, usual=False
    )
    for options in ((), ("--lazy-apps",), ("--py-call-uwsgi-fork-hooks",)):
        row = replace(plain, name=" ".join(["uwsgi", *options]), command=(*plain.command, *options))
        yield replace(row, parents=0 if options == ("--lazy-apps",) else 1)
    recycle = ("--max-requests", str(MAX_REQUESTS))
    yield replace(plain, name="uwsgi --max-requests", command=(*plain.command, *recycle), renewed_by="requests")


ROWS = (*_uvicorn(), *_gunicorn(), *_others(), *_uwsgi())
