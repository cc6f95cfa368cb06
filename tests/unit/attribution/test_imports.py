"""What happens when a server or a client of the table is imported, in whichever way."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pickle
import runpy
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from server_hook.attribution import imports

SERVER = """
LOADERS = __spec__.loader, __loader__

def serve(request):
    return request

class Answer:
    pass
"""
acted: list[tuple[str, bool]] = []


def act(module: ModuleType) -> None:
    """Be what the table names: note the module, and whether it is complete."""
    acted.append((module.__name__, hasattr(module, "Answer")))
    imports.wrap(module, "serve", lambda original: lambda request: f"wrapped {original(request)}")


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Watch two modules that are not imported yet; leave the process as it was."""
    tables = dict.fromkeys(("some_server", "other_server"), (__name__, "act"))
    monkeypatch.setattr(imports, "_WATCHED", tables)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(sys.modules, __name__, sys.modules[act.__module__])
    for name in tables:
        (tmp_path / f"{name}.py").write_text(SERVER)
    acted.clear()
    yield
    for name in tables:
        sys.modules.pop(name, None)
        sys.path_importer_cache.clear()


def load() -> Any:
    """Import the server."""
    return importlib.import_module("some_server")


def test_a_server_is_acted_on_when_it_has_been_imported() -> None:
    """The function of the table is called once the module is complete, and others see only the wrapped call."""
    imports.watch_imports()
    assert not acted
    assert load().serve("x") == "wrapped x"
    assert acted == [("some_server", True)]


def test_a_server_that_is_there_already_is_acted_on_at_once() -> None:
    """A recorder that starts late, as a session's, misses none; and a second one acts on nothing twice."""
    server = load()
    imports.watch_imports()
    imports.watch_imports()
    assert acted == [("some_server", True)]
    assert server.serve("x") == "wrapped x"


def test_the_module_looks_as_without_us() -> None:
    """Its loader and its spec are Python's own from its first line on; source and pickles are found."""
    imports.watch_imports()
    server = load()
    assert (server.__loader__, server.__loader__) == server.LOADERS
    assert type(server.__spec__.loader).__name__ == "SourceFileLoader"
    assert inspect.getsource(server) == SERVER
    assert str(inspect.signature(server.serve)) == "(request)"
    assert isinstance(pickle.loads(pickle.dumps(server.Answer())), server.Answer)
    assert pickle.loads(pickle.dumps(server.serve)) is server.serve
    assert pickle.loads(pickle.dumps(server.__spec__)) == server.__spec__


def test_a_spec_that_is_only_looked_at_works() -> None:
    """Who looks for the module without importing it finds its loader's methods."""
    imports.watch_imports()
    spec = importlib.util.find_spec("some_server")
    assert spec is not None
    assert spec.loader is not None
    assert spec.loader.get_source("some_server") == SERVER  # type: ignore[attr-defined]
    assert not acted


def test_a_server_that_is_run_as_the_main_module_has_its_own_loader() -> None:
    """``python -m`` of a module of the table runs with the loader that it has without us."""
    imports.watch_imports()
    loaders = runpy.run_module("some_server")["LOADERS"]
    assert {type(each).__name__ for each in loaders} == {"SourceFileLoader"}


def test_a_reload_is_acted_on_again() -> None:
    """A module that is executed again has new functions, which are wrapped again, once."""
    imports.watch_imports()
    server = importlib.reload(load())
    assert server.serve("x") == "wrapped x"
    assert len(acted) == 2
    assert (server.__loader__, server.__spec__.loader) == server.LOADERS


@pytest.mark.parametrize("is_watched_first", [True, False])
def test_a_lazy_import_stays_lazy(*, is_watched_first: bool) -> None:
    """A module that is loaded at its first use is acted on then, and not loaded before."""
    if is_watched_first:
        imports.watch_imports()
    spec = importlib.util.find_spec("some_server")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    server: Any = importlib.util.module_from_spec(spec)
    sys.modules["some_server"] = server
    spec.loader.exec_module(server)
    imports.watch_imports()
    assert not acted
    assert server.serve("x") == "wrapped x"
    assert len(acted) == 1


def test_modules_of_one_zip_file_are_told_apart(tmp_path: Path) -> None:
    """Modules that share their loader are each acted on, and the loader stays as it is."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("some_server.py", "import other_server\n" + SERVER)
        archive.writestr("other_server.py", SERVER)
    sys.path.insert(0, str(tmp_path / "all.zip"))
    imports.watch_imports()
    server = load()
    assert acted == [("other_server", True), ("some_server", True)]
    assert type(server.__loader__).__name__ == "zipimporter"
    assert inspect.getsource(server).endswith(SERVER)


def test_a_server_that_a_thread_imports_is_acted_on() -> None:
    """It does not matter which thread imports a server."""
    imports.watch_imports()
    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    assert acted == [("some_server", True)]


def test_finders_of_others_that_ask_all_finders_get_an_answer() -> None:
    """A finder that looks for the module through all finders, as wrapt's does, ends in no endless circle."""

    class Finder:
        searches = 0

        def find_spec(self, name: str, *_: object) -> object:
            self.searches += 1
            return importlib.util.find_spec(name) if name == "some_server" and self.searches == 1 else None

    imports.watch_imports()
    sys.meta_path.append(sys.meta_path.pop(0))  # theirs in front of ours, and behind it
    sys.meta_path[:] = [Finder(), *sys.meta_path[-1:], *sys.meta_path[:-1]]
    assert load().serve("x") == "wrapped x"
    sys.modules.pop("some_server")
    sys.meta_path[:2] = [sys.meta_path[1], Finder()]
    assert load().serve("x") == "wrapped x"


def test_a_server_that_cannot_be_imported_fails_as_without_us(tmp_path: Path) -> None:
    """An error of the module itself comes through, and a module that is nowhere is not found."""
    imports.watch_imports()
    (tmp_path / "some_server.py").write_text("raise RuntimeError('broken')\n")
    with pytest.raises(RuntimeError, match="broken"):
        load()
    (tmp_path / "some_server.py").unlink()
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError):
        load()
    assert not acted


def test_a_server_of_an_unknown_version_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the call is not found, the server is imported as it is, and one line says what that means."""
    imports.watch_imports()
    (tmp_path / "some_server.py").write_text("def run(): return 1\n")
    assert load().run() == 1
    [message] = caplog.messages
    assert "requests of some_server cannot be told apart: AttributeError" in message
    assert message.endswith("(not-told-apart)")
