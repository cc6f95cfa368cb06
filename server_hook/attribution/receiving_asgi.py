"""Servers of ASGI applications: the application that they call is the one place for all their protocols.

The tag is set in the task that answers a request. Tasks and threads that this starts inherit it; the application's
lifespan has none. A message of a WebSocket may be another test's than the connection: a browser keeps that open.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from server_hook.attribution.imports import report, wrap
from server_hook.attribution.receiving import Request, address, around_coroutine, begin, end, ends_of
from server_hook.environment import process_state

if TYPE_CHECKING:
    from server_hook.attribution.serving import Ends
    from server_hook.attribution.tags import Request as Begun

_state = process_state()

App: TypeAlias = Callable[..., Any]


def uvicorn(module: ModuleType) -> None:
    """Wrap the application that uvicorn loads, whatever it speaks and whoever started it; of ``uvicorn.config``."""
    _replace_after(module.Config, "load", "loaded_app")


def daphne(module: ModuleType) -> None:
    """Wrap the application that Daphne is given; of ``daphne.server``."""
    _replace_after(module.Server, "__init__", "application")


def gunicorn(module: ModuleType) -> None:
    """Wrap the application that gunicorn's own worker for ASGI loads; of ``gunicorn.workers.gasgi``."""
    _replace_after(module.ASGIWorker, "load_wsgi", "asgi")


def hypercorn(module: ModuleType) -> None:
    """Wrap both kinds of applications that Hypercorn calls; of ``hypercorn.app_wrappers``."""
    _replace_after(module.ASGIWrapper, "__init__", "app")
    around_coroutine(module.WSGIWrapper, "handle_http", lambda _, *args: _of_asgi(*args))


def granian(module: ModuleType) -> None:
    """Wrap the application that granian's loop calls from Rust; of ``granian.asgi``."""
    wrap(module, "_callback_wrapper", lambda original: lambda app, *args, **kw: original(tag(app), *args, **kw))


def granian_rsgi(module: ModuleType) -> None:
    """Wrap the application for granian's own interface; of ``granian.rsgi``."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(app: App, *args: Any, **kwargs: Any) -> Any:
            async def tagged(scope: Any, protocol: Any) -> Any:
                token = begin(_of_rsgi, scope)
                try:
                    return await app(scope, protocol)
                finally:
                    end(token)

            return original(tagged, *args, **kwargs)

        return call

    wrap(module, "_callback_wrapper", make)


def _of_rsgi(scope: Any) -> Request:
    return scope.headers.get_all("baggage"), _ends_of_rsgi, scope


def _ends_of_rsgi(scope: Any) -> Ends:
    server, client = (place.rpartition(":") for place in (scope.server, scope.client))
    return address((server[0].strip("[]"), server[2])), address((client[0].strip("[]"), client[2]))


def tag(app: App) -> App:
    """Return an application that answers each request under its test."""

    async def answer(scope: Any, receive: Any, send: Any, again: Callable[[str], Begun | None], header: str) -> Any:
        # here, and not in the call: a server may make the coroutine in one context and run it in another
        token = (again(header) if header else None) or begin(_of_asgi, scope, receive)
        messages = _Messages(scope, receive) if scope["type"] == "websocket" else None
        try:
            return await app(scope, messages or receive, send)
        finally:
            if messages is not None:
                end(messages.token)
            end(token)

    def tagged(scope: Any, receive: Any, send: Any) -> Any:
        kind, recorder = scope["type"], _state.recorder
        if kind == "lifespan" or recorder is None:
            return app(scope, receive, send)
        header = ""
        try:
            # in one step, in C: below Python 3.12 each turn of a loop of ours is traced
            value = dict(scope["headers"]).get(b"baggage")
            if value is not None:
                header = value.decode("latin-1")
            elif kind == "http" and recorder.attribution.is_nobodys():
                return app(scope, receive, send)
        except Exception:  # noqa: BLE001 - what is wrong with it is reported where it is read
            header = ""
        return answer(scope, receive, send, recorder.attribution.begin_again, header)

    return tagged


class _Messages:
    """Receives the messages of a WebSocket, each under its test."""

    def __init__(self, scope: Any, receive: Any) -> None:
        self._scope, self._receive = scope, receive
        self.token: Begun | None = None

    async def __call__(self) -> Any:
        message = await self._receive()
        end(self.token)
        self.token = begin(_of_asgi, self._scope, self._receive)
        return message


def _of_asgi(scope: Any, receive: Any, *_: object) -> Request:
    headers = scope["headers"]
    by_name = dict(headers)
    if b"baggage" not in by_name:
        baggage = []
    elif len(by_name) == len(headers):
        baggage = [by_name[b"baggage"].decode("latin-1")]
    else:
        baggage = [value.decode("latin-1") for name, value in headers if name == b"baggage"]
    return baggage, _ends_of_asgi, scope, receive


def _ends_of_asgi(scope: Any, receive: Any) -> Ends:
    client = address(scope.get("client"))
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if client is None and transport is not None:  # a Unix socket, and uvicorn
        return ends_of(transport.get_extra_info("socket"))
    return address(scope.get("server")), client


def _replace_after(owner: type, name: str, attribute: str) -> None:
    """Tag the application that a method leaves in an attribute."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def load(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            try:
                setattr(self, attribute, tag(getattr(self, attribute)))
            except AttributeError as error:  # of a version that is not known here
                report(owner.__module__, error)
            return result

        return load

    wrap(owner, name, make)
