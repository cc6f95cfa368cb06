"""Is a server up? What it has to do for it, and one attempt to see it."""

from __future__ import annotations

import http.client
import socket

from pytest_vmpilot_cov.model.value import Value

HOST = "127.0.0.1"
PATIENCE_S = 60.0
"""How long a server may take to come up."""
_PROBE_S = 5.0
"""How long one attempt may take."""
_SERVER_ERROR = 500


class Readiness(Value):
    """What a server has to do to count as up."""

    port: int
    path: str | None = "/"
    """What to request by HTTP; None if a TCP connection is enough."""
    timeout_s: float = PATIENCE_S

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://{HOST}:{self.port}"

    def __str__(self) -> str:
        """Say what is waited for."""
        if self.path is None:
            return f"a connection to {HOST}:{self.port}"
        return f"an answer to GET {self.url}{self.path}"

    def probe(self, limit_s: float) -> str:
        """Try once; say what is wrong, or nothing if the server is up."""
        limit_s = min(_PROBE_S, limit_s)
        try:
            if self.path is None:
                socket.create_connection((HOST, self.port), limit_s).close()
                return ""
            connection = http.client.HTTPConnection(HOST, self.port, timeout=limit_s)
            try:
                connection.request("GET", self.path)
                answer = connection.getresponse()
            finally:
                connection.close()
        except OSError as error:
            return error.strerror or str(error)
        except http.client.HTTPException as error:
            return f"no HTTP: {type(error).__name__} {error}".rstrip()
        # a 404 counts, too: it shows that the server serves
        return f"{answer.status} {answer.reason}" if answer.status >= _SERVER_ERROR else ""
