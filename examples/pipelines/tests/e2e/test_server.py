"""The server's addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.client import MODEL

if TYPE_CHECKING:
    from tests.e2e.client import Client

pytestmark = pytest.mark.e2e


def test_status_needs_no_key(client: Client) -> None:
    """Everybody may ask whether the server is up."""
    response = client.request("/", key="")

    assert (response.status, response.json) == (200, {"status": True, "pipelines": [MODEL]})


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/v1/pipelines/reload"])
def test_wrong_key_is_refused(client: Client, path: str) -> None:
    """Nothing but the status can be had without the key."""
    response = client.request(path, body=None if path == "/v1/models" else {}, key="guess")

    assert (response.status, response.json) == (401, {"detail": "the API key is missing or wrong"})


def test_pipelines_are_listed_as_models(client: Client) -> None:
    """A pipeline is a model, with the name that it gives itself."""
    assert client.request("/v1/models").json == {
        "object": "list",
        "data": [{"id": MODEL, "name": "Assistant", "object": "model", "owned_by": "pipelines"}],
    }


def test_unknown_model_is_refused(client: Client) -> None:
    """The answer to an unknown model names the known ones."""
    response = client.chat("hello", model="gpt")

    assert response.status == 404
    assert response.json == {"detail": f"there is no pipeline 'gpt'; loaded: {MODEL}"}


def test_last_message_must_be_of_the_user(client: Client) -> None:
    """There is nothing to answer if the assistant spoke last."""
    response = client.chat("", messages=[{"role": "assistant", "content": "hello"}])

    assert (response.status, response.json) == (400, {"detail": "the last message must be one of the user"})


def test_reload_keeps_the_pipelines(client: Client) -> None:
    """After loading anew the same pipelines answer."""
    response = client.request("/v1/pipelines/reload", body={})

    assert (response.status, response.json) == (200, {"status": True, "pipelines": [MODEL]})
    assert client.ask("calculate 1 + 1") == "The result is 2."
