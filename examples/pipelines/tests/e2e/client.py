"""A small client of the pipeline server."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

TIMEOUT_S: Final = 60.0
MODEL: Final = "assistant_pipeline"


@dataclass(frozen=True, slots=True)
class Response:
    """The status and the body of an HTTP response."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        """Return the body as the value that it stands for."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Client:
    """Talk to one server as one user."""

    url: str
    user: str
    key: str

    def request(self, path: str, body: object = None, *, key: str | None = None) -> Response:
        """Send a GET, or with a body a POST, and return the response, whatever its status."""
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.key if key is None else key}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                return Response(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, error.read().decode())

    def chat(self, text: str, **more: object) -> Response:
        """Ask one question; ``more`` goes into the body of the request."""
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": text}],
            "user": {"id": self.user},
            "stream": False,
            **more,
        }
        return self.request("/v1/chat/completions", body)

    def ask(self, text: str, **more: object) -> str:
        """Ask one question and return the answer."""
        response = self.chat(text, **more)
        assert response.status == 200, response.text
        content: str = response.json["choices"][0]["message"]["content"]
        return content


def events(response: Response) -> list[Any]:
    """Return the server-sent events of a response; the end mark must be there, and is left out."""
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def server_url() -> str:
    """Return the address of the server."""
    return os.environ.get("PIPELINES_URL", "http://127.0.0.1:9099").rstrip("/")


def unreachable(url: str) -> str | None:
    """Return why no server answers at the address, or None if one does."""
    try:
        with urllib.request.urlopen(url + "/", timeout=TIMEOUT_S):
            return None
    except OSError as error:
        return str(error)
