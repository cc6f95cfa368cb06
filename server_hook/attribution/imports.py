"""Act when a server or a client is imported: wrap the one call through which every request of it goes.

A process that imports none of them pays for a look into a table of names at each import, and nothing of ours is loaded.
The wrappers are loaded with the server, not with its first request: by then it may have given up root, and with it the
right to read this package.

What does not work: to leave the module's loader alone and wrap its ``exec_module``, because modules of one zip file
share their loader. So ours stands in for it, and steps aside before the first line of the module runs.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

from server_hook.environment import all_at_once, process_state
from server_hook.problems import log_problem

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_ASGI, _WSGI, _RAW, _GRPC = (f"server_hook.attribution.receiving_{kind}" for kind in ("asgi", "wsgi", "raw", "grpc"))
_SENDING = "server_hook.attribution.sending"
TABLE: dict[str, tuple[str, str]] = {
    "aiohttp.client_reqrep": (_SENDING, "tag_aiohttp"),
    "aiohttp.web_protocol": (_RAW, "aiohttp"),
    "cheroot.server": (_RAW, "cheroot"),
    "daphne.server": (_ASGI, "daphne"),
    "eventlet.wsgi": (_WSGI, "gevent"),
    "gevent.pywsgi": (_WSGI, "gevent"),
    "granian.asgi": (_ASGI, "granian"),
    "granian.rsgi": (_ASGI, "granian_rsgi"),
    "granian.wsgi": (_WSGI, "granian"),
    "grpc": (_GRPC, "grpc"),
    "grpc.aio": (_GRPC, "grpc_asyncio"),
    "gunicorn.workers.base_async": (_WSGI, "gunicorn"),
    "gunicorn.workers.gasgi": (_ASGI, "gunicorn"),
    "gunicorn.workers.gthread": (_WSGI, "gunicorn"),
    "gunicorn.workers.sync": (_WSGI, "gunicorn"),
    "h11": (_SENDING, "tag_h11"),
    "h2.connection": (_SENDING, "tag_h2"),
    "http.client": (_SENDING, "tag_http_client"),
    "http.server": (_RAW, "http_server"),
    "hypercorn.app_wrappers": (_ASGI, "hypercorn"),
    "sanic.server.protocols.http_protocol": (_RAW, "sanic"),
    "tornado.httpserver": (_RAW, "tornado"),
    "twisted.web.server": (_RAW, "twisted"),
    "uvicorn.config": (_ASGI, "uvicorn"),
    "waitress.task": (_WSGI, "waitress"),
    "websockets.asyncio.server": (_RAW, "websockets"),
    "websockets.client": (_SENDING, "tag_websockets"),
    "websockets.legacy.client": (_SENDING, "tag_websockets_legacy"),
    "websockets.legacy.server": (_RAW, "websockets"),
    "websockets.sync.server": (_RAW, "websockets"),
    "websockets.trio.server": (_RAW, "websockets"),
    "wsgiref.handlers": (_WSGI, "wsgiref"),
}
"""For each module of a server or a client, the module of ours and the function in it that is called with it."""
_WATCHED = {**TABLE, "ctypes": ("server_hook.record.c_forks", "watch_c_forks")}
"""And for what forks in C, however late a program imports it."""


def watch_imports() -> None:
    """Act on each module of the tables, now if it is imported already; once a process, and never raise."""
    # compared by name: a test may have imported a second copy of this module
    if not any(type(each).__module__ == __name__ for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        for name in _WATCHED:
            module = sys.modules.get(name)
            if type(module).__name__ == "_LazyModule":  # any look at it would load it
                _Loader(object.__getattribute__(module, "__spec__"))
            elif module is not None:
                _act_on(module, name)


def wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:  # noqa: ANN401 - a module or a class
    """Put a wrapper in the place of a function or a method, unless there is one of ours already.

    Args:
        owner: the module or the class that has it.
        name: what it is called there.
        make: takes the original and returns the wrapper, which must behave as the original does.

    Raises:
        AttributeError: when the owner has no such function, as in a version that is not known here.
    """
    original = getattr(owner, name)
    if not hasattr(original, "_vmpilot_cov"):
        wrapper: Any = wraps(original)(make(original))
        wrapper._vmpilot_cov = True
        setattr(owner, name, wrapper)


class _Finder:
    """Finds no module itself, but sees to it that we hear when one of the tables has been executed."""

    def __init__(self) -> None:
        self._finding: set[tuple[str, int]] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module of the tables as the other finders do, and leave any other to them."""
        search = name, _thread.get_ident()
        if name not in _WATCHED or search in self._finding:  # a finder of others may ask all finders, as this does
            return None
        self._finding.add(search)
        try:
            finders = [each for each in sys.meta_path if each is not self]
            specs = (each.find_spec(name, path, target) for each in finders if hasattr(each, "find_spec"))
            spec = next(filter(None, specs), None)
        finally:
            self._finding.discard(search)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            _Loader(spec)
        return spec


class _Loader:
    """Stands in for a module's loader until it is to execute the module."""

    def __init__(self, spec: Any) -> None:  # noqa: ANN401 - whose loader this is not
        self._spec, self._loader = spec, spec.loader
        spec.loader = self

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the loader has
        return getattr(self._loader, name)

    def get_code(self, name: str) -> Any:  # noqa: ANN401 - code, or None
        """Step aside for good: ``python -m`` asks for the code to run it as the main module."""
        self._spec.loader = self._loader
        return self._loader.get_code(name)

    def exec_module(self, module: ModuleType) -> None:
        """Step aside, execute the module, then act on it."""
        for owner, name in ((self._spec, "loader"), (module.__spec__, "loader"), (module, "__loader__")):
            if getattr(owner, name, None) is self:
                setattr(owner, name, self._loader)
        self._loader.exec_module(module)
        _act_on(sys.modules.get(module.__name__, module), module.__name__)


@all_at_once()
def _act_on(module: ModuleType, name: str) -> None:
    where, function = _WATCHED[name]
    recorder = process_state().recorder
    try:
        ours = import_module(where)
    except (ImportError, OSError) as error:  # the process has given up its rights, or its root: nothing to report
        if recorder is not None:
            recorder.attribution.reason = f"requests of {name} cannot be told apart: {error}"
        return
    try:
        getattr(ours, function)(module)
        if recorder is not None:
            recorder.attribution.prepare()
    except Exception as error:  # noqa: BLE001 - the application imports this module, whatever we can do with it
        report(name, error)


def report(name: str, error: BaseException) -> None:
    """Report that tests cannot be told apart in what goes through a server or a client; never raise.

    Args:
        name: the module of the server or the client.
        error: what went wrong.
    """
    text = f"requests of {name} cannot be told apart: {type(error).__name__}: {error}"
    recorder = process_state().recorder
    if recorder is not None:
        recorder.problems.report("not-told-apart", text)
    else:
        log_problem(f"{text} (not-told-apart)")
