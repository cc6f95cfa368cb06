"""The rows of the matrix of servers that tell tests apart: what serves, in how many ways, and what it speaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.server import witness_programs as programs
from tests.server.matrix import HOST, Row

APP = "app.main:app"


@dataclass(frozen=True)
class WitnessRow(Row):
    """One server in one way of running it."""

    script: str = ""
    """The program that starts it, where it has no command."""
    at_once: bool = True
    """Whether it answers several requests at a time."""
    is_socket: bool = False
    """Whether it speaks by WebSocket."""
    calls: str = ""
    """For gRPC, how its method is called: ``unary_unary``, ``unary_stream``, ``stream_unary`` or ``stream_stream``."""
    is_unix: bool = False
    """Whether it listens at a Unix socket, ``socket`` in its folder."""
    sees_peers: bool = True
    """Whether it tells where a request comes from, so that the process there can be looked up."""
    usual: bool = False


def _uvicorn() -> Iterator[WitnessRow]:
    command = ("python", "-m", "uvicorn", APP, *HOST)
    plain = WitnessRow("uvicorn", ("uvicorn",), programs.ASGI, command)
    for loop, packages in (("asyncio", ()), ("uvloop", ("uvloop",))):
        for http, more in (("h11", ()), ("httptools", ("httptools",))):
            yield replace(
                plain,
                name=f"uvicorn, {loop}, {http}",
                packages=("uvicorn", *packages, *more),
                command=(*command, "--loop", loop, "--http", http),
                usual=(loop, http) == ("asyncio", "h11"),
            )
    unix = ("python", "-m", "uvicorn", APP, "--uds", "socket")
    yield replace(plain, name="uvicorn --uds", command=unix, is_unix=True)
    yield replace(plain, name="uvicorn --workers", command=(*command, "--workers", "2"))
    yield replace(plain, name="uvicorn, WSGI", source=programs.WSGI, command=(*command, "--interface", "wsgi"))
    for speaks, package in (("websockets", "websockets"), ("websockets-sansio", "websockets"), ("wsproto", "wsproto")):
        yield replace(
            plain,
            name=f"uvicorn --ws {speaks}",
            packages=("uvicorn", package),
            source=programs.ASGI_SOCKET,
            command=(*command, "--ws", speaks),
            is_socket=True,
        )


def _gunicorn() -> Iterator[WitnessRow]:
    command = ("python", "-m", "gunicorn", APP, "-b", "127.0.0.1:PORT", "-k")
    plain = WitnessRow("gunicorn sync", ("gunicorn",), programs.WSGI, (*command, "sync", "-w", "3"), usual=True)
    yield plain
    unix = ("python", "-m", "gunicorn", APP, "-b", "unix:socket", "-k", "gthread", "--threads", "4")
    yield replace(plain, name="gunicorn, Unix socket", command=unix, is_unix=True, usual=False)
    threads = (*command, "gthread", "--threads", "4")
    yield replace(plain, name="gunicorn gthread", command=threads)
    for worker in ("gevent", "gevent_pywsgi"):
        packages = ("gunicorn", "gevent")
        name = f"gunicorn {worker}"
        yield replace(
            plain, name=name, packages=packages, command=(*command, worker), concurrency="gevent", usual=False
        )
    asgi = replace(plain, source=programs.ASGI, usual=False)
    yield replace(asgi, name="gunicorn asgi", command=(*command, "asgi"))
    packages = ("gunicorn", "uvicorn-worker", "uvicorn")
    worker = "uvicorn_worker.UvicornWorker"
    yield replace(asgi, name="gunicorn uvicorn", packages=packages, command=(*command, worker), usual=True)


def _other_asgi() -> Iterator[WitnessRow]:
    hypercorn = ("python", "-m", "hypercorn", "-b", "127.0.0.1:PORT")
    plain = WitnessRow("hypercorn", ("hypercorn",), programs.ASGI, (*hypercorn, APP))
    yield plain
    yield replace(plain, name="hypercorn -k uvloop", command=(*hypercorn, "-k", "uvloop", APP))
    yield replace(plain, name="hypercorn, WSGI", source=programs.WSGI, command=(*hypercorn, f"wsgi:{APP}"))
    socket = replace(plain, name="hypercorn, WebSocket", source=programs.ASGI_SOCKET, is_socket=True)
    yield socket
    daphne = ("python", "-m", "daphne", "-b", "127.0.0.1", "-p", "PORT", APP)
    yield replace(plain, name="daphne", packages=("daphne",), command=daphne)
    yield replace(socket, name="daphne, WebSocket", packages=("daphne",), command=daphne)
    granian = ("python", "-m", "granian", APP, *HOST, "--interface")
    plain = replace(plain, name="granian", packages=("granian",), command=(*granian, "asgi"))
    yield replace(plain, name="granian asgi")
    yield replace(socket, name="granian, WebSocket", packages=("granian",), command=(*granian, "asgi"))
    yield replace(plain, name="granian rsgi", source=programs.RSGI, command=(*granian, "rsgi"))
    threads = (*granian, "wsgi", "--blocking-threads", "4")
    yield replace(
        plain, name="granian wsgi", source=programs.WSGI, command=threads, measured_from=(3, 12), sees_peers=False
    )


def _other_wsgi() -> Iterator[WitnessRow]:
    waitress = ("python", "-m", "waitress", "--listen=127.0.0.1:PORT", APP)
    yield WitnessRow("waitress", ("waitress",), programs.WSGI, waitress)
    yield WitnessRow("wsgiref", (), programs.WSGI, (), script="wsgiref", usual=True)
    yield WitnessRow("wsgiref, one thread", (), programs.WSGI, (), script="wsgiref, one thread", at_once=False)
    yield WitnessRow("werkzeug", ("werkzeug",), programs.WSGI, (), script="werkzeug", usual=True)
    flask = ("python", "-m", "flask", "--app", "app.main", "run", *HOST)
    yield WitnessRow("flask run", ("flask", "werkzeug"), programs.FLASK, flask)
    django = ("python", "-m", "django", "runserver", "--settings", "app.main", "--skip-checks", "127.0.0.1:PORT")
    yield WitnessRow("django runserver", ("django",), programs.DJANGO, (*django, "--noreload"))
    yield WitnessRow("cheroot", ("cheroot",), programs.WSGI, (), script="cheroot")
    gevent = WitnessRow("gevent.pywsgi", ("gevent",), programs.WSGI, (), script="gevent.pywsgi", concurrency="gevent")
    yield gevent
    yield replace(gevent, name="eventlet", packages=("eventlet",), script="eventlet", concurrency="eventlet")


def _raw() -> Iterator[WitnessRow]:
    yield WitnessRow("http.server", (), programs.STANDARD, (), script="http.server", usual=True)
    aiohttp = WitnessRow("aiohttp.web", ("aiohttp",), programs.AIOHTTP, (), script="aiohttp")
    yield aiohttp
    yield replace(aiohttp, name="aiohttp.web, WebSocket", source=programs.AIOHTTP_SOCKET, is_socket=True)
    tornado = WitnessRow("tornado", ("tornado",), programs.TORNADO, (), script="tornado")
    yield tornado
    yield replace(tornado, name="tornado, WebSocket", source=programs.TORNADO_SOCKET, is_socket=True)
    yield replace(tornado, name="tornado, WSGI", source=programs.WSGI, script="tornado, WSGI")
    sanic = ("python", "-m", "sanic", "app.main:app", *HOST)
    yield WitnessRow("sanic", ("sanic",), programs.SANIC, sanic)
    yield replace(tornado, name="twisted", packages=("twisted",), source=programs.TWISTED, script="twisted")
    websockets = WitnessRow("websockets", ("websockets",), programs.WEBSOCKETS, (), script="websockets", is_socket=True)
    yield websockets
    threads = "websockets, threads"
    yield replace(websockets, name=threads, source=programs.WEBSOCKETS_SYNC, script=threads)


def _grpc() -> Iterator[WitnessRow]:
    row = WitnessRow("gRPC", ("grpcio",), programs.GRPC, (), script="gRPC", calls="unary_stream")
    yield row
    yield replace(row, name="gRPC, one answer", source=programs.GRPC_ONE, calls="stream_unary")
    later = replace(row, name="gRPC, asyncio", script="gRPC, asyncio")
    yield replace(later, source=programs.GRPC_ASYNCIO, calls="stream_stream")
    yield replace(later, name="gRPC, coroutine", source=programs.GRPC_COROUTINE, calls="unary_unary")
    yield replace(later, name="gRPC, threads of asyncio")


ROWS = (*_uvicorn(), *_gunicorn(), *_other_asgi(), *_other_wsgi(), *_raw(), *_grpc())
