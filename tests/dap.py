"""A small client of the Debug Adapter Protocol: it does what an IDE does to stop at a line."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from tests.conftest import PATIENCE_S, wait_for

_SPEC = find_spec("debugpy")
DEBUGPY = Path((_SPEC and _SPEC.origin) or "").parent
"""The package's folder; pydevd, which PyCharm brings along, is a part of it."""
PYDEVD = DEBUGPY / "_vendored" / "pydevd" / "pydevd.py"


class DebugClient:
    """One connection to a debug adapter."""

    def __init__(self, connection: socket.socket) -> None:
        """Speak over a connection."""
        connection.settimeout(PATIENCE_S)
        self.output = ""
        """What the debugged program has printed, as far as the adapter has passed it on."""
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._sent = 0
        self._passed: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Give the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._stream.close()
        self._connection.close()

    def ask(self, command: str, **arguments: object) -> None:
        """Send a request, and do not wait for its answer."""
        self._sent += 1
        request = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self._connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def wait(self, name: str) -> dict[str, Any]:
        """Wait for an event, or for the answer to a request, that has not been waited for; return its body."""
        while not (found := next((each for each in self._passed if name == _name_of(each)), None)):
            self._passed.append(self._next())
        self._passed.remove(found)
        assert found.get("success", True), found
        return dict(found.get("body") or {})

    def stop_at(self, path: Path, line: int, how: str, **arguments: object) -> None:
        """Attach or launch as *how* says, with one breakpoint; wait until the program stops there, and let it go on."""
        self.begin(path, line, how, **arguments)
        self.pass_breakpoint(path, line)

    def begin(self, path: Path, line: int, how: str, **arguments: object) -> None:
        """Attach or launch as *how* says, with one breakpoint."""
        self.ask("initialize", adapterID="python", pathFormat="path", linesStartAt1=True)
        self.wait("initialize")
        self.ask(how, subProcess=False, **arguments)
        self.wait("initialized")
        self.ask("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line}])
        self.wait("setBreakpoints")
        self.ask("configurationDone")

    def pass_breakpoint(self, path: Path, line: int) -> None:
        """Wait until the program stops at a breakpoint, and let it go on."""
        stopped = self.wait("stopped")
        assert stopped["reason"] == "breakpoint"
        self.ask("stackTrace", threadId=stopped["threadId"], levels=1)
        frame = self.wait("stackTrace")["stackFrames"][0]
        assert (str(path), line) == (frame["source"]["path"], frame["line"])
        self.ask("continue", threadId=stopped["threadId"])

    def _next(self) -> dict[str, Any]:
        length = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, f"the debug adapter has hung up; the program printed:\n{self.output}"
        message: dict[str, Any] = json.loads(self._stream.read(length))
        if message.get("event") == "output" and message["body"].get("category") in ("stdout", "stderr"):
            self.output += message["body"]["output"]
        return message


def _name_of(message: Mapping[str, Any]) -> str:
    return str(message.get("event") or (message["type"] == "response" and message["command"]) or "")


def connect(port: int) -> DebugClient:
    """Connect to an adapter that listens, or is about to."""
    found: list[socket.socket] = []

    def is_there() -> bool:
        try:
            found.append(socket.create_connection(("127.0.0.1", port)))
        except ConnectionRefusedError:
            return False
        return True

    wait_for(is_there)
    return DebugClient(found[0])


def start_adapter(folder: Path) -> tuple[subprocess.Popen[bytes], DebugClient]:
    """Start an adapter as VS Code does: it speaks over its standard input and output."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = (sys.executable, str(DEBUGPY / "adapter"))
        process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
    return process, DebugClient(ours)
