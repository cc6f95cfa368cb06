"""Servers of WSGI applications: each has a call that runs the application, sends what it yields, and closes it.

That call is in one thread or greenlet, so the tag covers the whole answer, and the application and what it returns stay
what they are. granian alone sends what an application yields from threads of Rust, and gets it wrapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from server_hook.attribution.imports import wrap
from server_hook.attribution.receiving import Request, around, begin, end, ends_of, no_ends


def wsgiref(module: ModuleType) -> None:
    """Wrap the run of wsgiref's handlers, which Django's runserver has, too; of ``wsgiref.handlers``."""
    around(module.BaseHandler, "run", _of_wsgiref)


def _of_wsgiref(handler: Any, *_: object) -> Request:
    server = getattr(handler, "request_handler", None)  # a handler for CGI has no connection
    ends = (ends_of, server.connection, server.client_address) if server else (no_ends,)
    return _baggage(getattr(handler, "base_env", {})), *ends


def gunicorn(module: ModuleType) -> None:
    """Wrap how a worker of gunicorn handles a request; of its modules ``sync``, ``gthread`` and ``base_async``."""
    name = module.__name__
    # a class that a module has only imported is wrapped in its own
    kinds = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name]
    workers = [kind for kind in kinds if hasattr(kind, "handle_request")]
    if not workers:
        raise AttributeError("no worker has a method 'handle_request'")
    for worker in workers:
        for method in {"handle_request", "handle_http2_request"} & vars(worker).keys():
            around(worker, method, _of_gunicorn)


def _of_gunicorn(_: object, first: Any, second: Any, *more: Any) -> Request:
    if hasattr(first, "headers"):  # gthread's: the request, and its connection
        request, socket, peer = first, second.sock, second.client
    else:  # the others': where they listen, the request, and more
        request, socket, peer = second, more[0], more[1]
    return [value for name, value in request.headers if name == "BAGGAGE"], ends_of, socket, peer


def waitress(module: ModuleType) -> None:
    """Wrap how waitress executes a task; of ``waitress.task``."""
    around(module.WSGITask, "execute", _of_waitress)


def _of_waitress(task: Any) -> Request:
    value = task.request.headers.get("BAGGAGE")
    return [value] if value else (), ends_of, task.channel.socket, task.channel.addr


def gevent(module: ModuleType) -> None:
    """Wrap one answer of gevent's own server, or of eventlet's; of ``gevent.pywsgi`` and ``eventlet.wsgi``."""
    handler = getattr(module, "WSGIHandler", None) or module.HttpProtocol
    around(handler, "handle_one_response", _of_gevent)


def _of_gevent(handler: Any) -> Request:
    socket = getattr(handler, "socket", None) or handler.connection
    return _baggage(handler.environ), ends_of, socket, handler.client_address


def granian(module: ModuleType) -> None:
    """Wrap the application that granian's threads call from Rust; of ``granian.wsgi``."""
    wrap(module, "_callback_wrapper", lambda original: lambda app, *args, **kw: original(_tag(app), *args, **kw))


def _tag(app: Callable[..., Any]) -> Callable[..., Any]:
    def tagged(environ: Any, start_response: Any) -> Any:
        token = begin(_of_granian, environ)
        try:
            result = app(environ, start_response)
        finally:
            end(token)
        return result if isinstance(result, list) else _Iterable(result, environ)

    return tagged


class _Iterable:
    """What an application has returned, each step of it under its test."""

    def __init__(self, result: Any, environ: Any) -> None:
        self._result, self._environ = result, environ
        if hasattr(result, "close"):
            self.close = lambda: self._within(result.close)

    def __iter__(self) -> Iterator[Any]:
        self._steps = self._within(lambda: iter(self._result))
        return self

    def __next__(self) -> Any:
        return self._within(self._steps.__next__)

    def _within(self, step: Callable[[], Any]) -> Any:
        token = begin(_of_granian, self._environ)
        try:
            return step()
        finally:
            end(token)


def _of_granian(environ: Any) -> Request:
    return _baggage(environ), no_ends  # it gives no port, so nothing can be said of the process at the other end


def _baggage(environ: Any) -> list[str]:
    value = environ.get("HTTP_BAGGAGE")
    return [value] if value else []
