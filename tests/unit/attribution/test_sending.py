"""What clients send: to a real server that notes the headers it gets."""

from __future__ import annotations

import asyncio
import http.client
import re
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import pytest

from server_hook.attribution import sending
from server_hook.attribution.imports import TABLE, watch_imports
from server_hook.attribution.tags import TEST, from_headers, to_header
from server_hook.environment import process_state
from tests.conftest import PATIENCE_S

NAME = "tests/test_chat.py::test_a[ä]|run"
OWN = "theirs=1"
"""A baggage of the application."""


@dataclass
class Listener:
    """A server that notes what it is sent."""

    url: str
    port: int
    requests: list[tuple[str, list[str]]] = field(default_factory=list)
    """The first line of each request, and its headers ``baggage``."""
    signed: list[str] = field(default_factory=list)
    """Which headers the signature of a request covers."""

    def tests(self) -> list[str]:
        """Name the tests of the requests."""
        return [from_headers(baggage) for _, baggage in self.requests]


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Listen until the test is over."""

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            noted.requests.append((self.requestline, self.headers.get_all("baggage", [])))
            noted.signed += re.findall("SignedHeaders=([^,]*)", self.headers.get("Authorization", ""))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(400 if "Upgrade" in self.headers else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Noting) as server:
        noted = Listener(f"http://127.0.0.1:{server.server_port}/", server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield noted
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a session that runs a test."""
    watch_imports()
    monkeypatch.setattr(process_state(), "test", NAME)
    monkeypatch.setattr(process_state(), "tagged_hosts", ("near",))


def by_http_client(url: str) -> None:
    """Ask step by step."""
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=PATIENCE_S)
    connection.putrequest("GET", "/")
    connection.putheader("baggage", OWN)
    connection.endheaders()
    connection.getresponse().read()
    connection.close()


def by_urllib(url: str) -> None:
    """Ask as most scripts do."""
    urllib.request.urlopen(urllib.request.Request(url, b"x", {"baggage": OWN}), timeout=PATIENCE_S).close()


def by_module(name: str) -> Callable[[str], None]:
    """Ask by a function ``post`` of a module."""

    def ask(url: str) -> None:
        module = pytest.importorskip(name)
        module.post(url, headers={"baggage": OWN}, data=b"x", timeout=PATIENCE_S)

    return ask


def by_urllib3(url: str) -> None:
    """Ask by a pool."""
    urllib3 = pytest.importorskip("urllib3")
    with urllib3.PoolManager() as pool:
        pool.request("GET", url, headers={"baggage": OWN})


def by_httpx(url: str) -> None:
    """Ask by the synchronous client."""
    httpx = pytest.importorskip("httpx")
    with httpx.Client() as client:
        client.post(url, headers={"baggage": OWN}, content=b"x")


def awaited(ask: Callable[[str], Awaitable[None]]) -> Callable[[str], None]:
    """Ask in an event loop."""

    async def run(url: str) -> None:
        await ask(url)

    return lambda url: asyncio.run(run(url))


async def by_async_httpx(url: str) -> None:
    """Ask by the asynchronous client."""
    httpx = pytest.importorskip("httpx")
    async with httpx.AsyncClient() as client:
        await client.get(url, headers={"baggage": OWN})


async def by_aiohttp(url: str) -> None:
    """Ask, and see in the answer the headers of the application alone."""
    aiohttp = pytest.importorskip("aiohttp")
    async with aiohttp.ClientSession() as client, client.get(url, headers={"baggage": OWN}) as answer:
        assert answer.request_info.headers.getall("baggage") == [OWN]


async def by_aiohttp_websocket(url: str) -> None:
    """Open a websocket that is refused."""
    aiohttp = pytest.importorskip("aiohttp")
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.ws_connect(url, headers={"baggage": OWN})


def by_websockets(url: str) -> None:
    """Open a websocket that is refused."""
    client = pytest.importorskip("websockets.sync.client")
    with pytest.raises(import_module("websockets.exceptions").InvalidHandshake):
        client.connect(url.replace("http", "ws"), additional_headers={"baggage": OWN})


async def by_async_websockets(url: str) -> None:
    """Open a websocket that is refused."""
    client = pytest.importorskip("websockets.asyncio.client")
    with pytest.raises(import_module("websockets.exceptions").InvalidHandshake):
        await client.connect(url.replace("http", "ws"), additional_headers={"baggage": OWN})


CLIENTS: dict[str, Callable[[str], None]] = {
    "http.client": by_http_client,
    "urllib": by_urllib,
    "requests": by_module("requests"),
    "niquests": by_module("niquests"),
    "urllib3": by_urllib3,
    "httpx": by_httpx,
    "httpx async": awaited(by_async_httpx),
    "aiohttp": awaited(by_aiohttp),
    "aiohttp websocket": awaited(by_aiohttp_websocket),
    "websockets": by_websockets,
    "websockets async": awaited(by_async_websockets),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_request_names_its_test(listener: Listener, client: str) -> None:
    """Each client sends the test in a line of its own, and the application's baggage as it was."""
    CLIENTS[client](listener.url)
    ((_, baggage),) = listener.requests
    assert baggage == [OWN, to_header(NAME)]
    assert from_headers(baggage) == NAME


@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_is_sent_while_no_test_runs(listener: Listener, client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between tests a request is as the application made it."""
    monkeypatch.setattr(process_state(), "test", "")
    CLIENTS[client](listener.url)
    assert [baggage for _, baggage in listener.requests] == [[OWN]]


def test_it_can_be_switched_off(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``tag_requests = off`` a request is as the application made it."""
    monkeypatch.setattr(process_state(), "tagged_hosts", ())
    by_urllib(listener.url)
    assert [baggage for _, baggage in listener.requests] == [[OWN]]


def test_an_onward_request_is_of_the_test_that_the_server_works_for(listener: Listener) -> None:
    """In a server, the test of the request that it answers goes before all else."""
    token = TEST.set("t.py::of_the_request|run")
    by_urllib(listener.url)
    TEST.reset(token)
    assert listener.tests() == ["t.py::of_the_request|run"]


@pytest.mark.parametrize("host", [
    *("localhost", "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.9.9", "192.168.1.1", "0.0.0.0"),
    *("::1", "fe80::1%eth0", "fd12::1", "::ffff:10.0.0.1", "web", "WEB", "db.local", "a.internal."),
    *("x.test", "a.localhost"),
])  # fmt: skip
def test_near_hosts(host: str) -> None:
    """This machine, private networks, and names that no public one has, may be told of tests."""
    assert sending.is_near(host)


@pytest.mark.parametrize("host", [
    *("api.openai.com", "8.8.8.8", "172.32.0.1", "172.15.0.1", "2001:db8::1", "::ffff:8.8.8.8", ""),
    *("127.0.0.1.evil.com", "10.evil.com", "localhost.evil.com", "a.nottest", "169.254.169.254", "fec0::1"),
])  # fmt: skip
def test_far_hosts(host: str) -> None:
    """Nobody else is told, whatever the name begins with."""
    assert not sending.is_near(host)


def test_hosts_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting adds hosts, by name or by pattern."""
    monkeypatch.setattr(process_state(), "tagged_hosts", ("near", "api.example.com", "*.staging.example.com"))
    hosts = ("api.example.com:8443", "a.Staging.example.com", "[::1]:80", "www.example.com")
    assert [bool(sending.tag_for(host)) for host in hosts] == [True, True, True, False]


def test_a_proxy_is_not_told_what_its_target_may_not_know(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A near proxy does not get the header for a far host, in a tunnel or not, and passes it on to near ones."""
    for url in ("http://api.example.com/", "http://me@localhost:1/"):
        connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=PATIENCE_S)
        connection.request("GET", url)
        connection.getresponse().read()
        connection.close()
    tunnel = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=PATIENCE_S)
    tunnel.set_tunnel("api.example.com", 80)
    monkeypatch.setattr(tunnel, "_tunnel", lambda: None)  # its CONNECT goes past the wrapper, and needs a proxy
    tunnel.request("GET", "/")
    tunnel.getresponse().read()
    tunnel.close()
    assert [(line.split()[0], bool(baggage)) for line, baggage in listener.requests] == [
        ("GET", False),
        ("GET", True),
        ("GET", False),
    ]


def test_an_error_of_ours_reaches_no_request(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request goes out although its test cannot be named."""
    monkeypatch.setattr(sending, "tag_for", None)
    by_urllib(listener.url)
    assert len(listener.requests) == 1


def test_every_wrapper_is_in_the_table() -> None:
    """Each function that wraps a client is called when that is imported."""
    functions = {name for name in vars(sending) if name.startswith("tag_")} - {"tag_for"}
    assert functions == {function for where, function in TABLE.values() if where == sending.__name__}


def test_http2(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request over HTTP/2 names its test; what a server answers, and CONNECT, are as they were."""
    connection, config = import_module("h2.connection"), import_module("h2.config")
    client = connection.H2Connection(config.H2Configuration(client_side=True, header_encoding="utf-8"))
    server = connection.H2Connection(config.H2Configuration(client_side=False, header_encoding="utf-8"))
    client.initiate_connection()
    server.initiate_connection()
    request = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "127.0.0.1:80")]
    client.send_headers(1, request, end_stream=True)
    client.send_headers(3, [(":method", "CONNECT"), (":authority", "127.0.0.1:80")])
    monkeypatch.setattr(process_state(), "test", "")
    client.send_headers(5, iter([*request, ("baggage", OWN)]))
    events = [each for each in server.receive_data(client.data_to_send()) if hasattr(each, "headers")]
    baggage = [[value for name, value in event.headers if name == "baggage"] for event in events]
    assert baggage == [[to_header(NAME)], [], [OWN]]
    monkeypatch.undo()
    server.send_headers(1, [(":status", "200")])
    (answer,) = [each for each in client.receive_data(server.data_to_send()) if hasattr(each, "headers")]
    assert list(answer.headers) == [(":status", "200")]


def test_a_signature_stays_valid(listener: Listener) -> None:
    """A request that is signed for AWS is as valid as without the header, which no signature covers."""
    boto3 = pytest.importorskip("boto3")
    secret = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "region_name": "eu-west-1"}
    client = boto3.client("s3", endpoint_url=listener.url, **secret)
    client.get_object(Bucket="b", Key="k")["Body"].close()
    client.close()
    assert listener.tests() == [NAME]
    (signed,) = listener.signed
    assert "host" in signed
    assert "baggage" not in signed


def test_cassettes_do_not_see_it(listener: Listener, tmp_path: Path) -> None:
    """What vcrpy records has no trace of tests, and is replayed to every test."""
    vcr = pytest.importorskip("vcr")
    for _ in range(2):
        with vcr.use_cassette(str(tmp_path / "cassette.yaml")):
            by_urllib(listener.url)
    assert listener.tests() == [NAME]
    assert "vmpilot" not in (tmp_path / "cassette.yaml").read_text()


def test_clients_that_a_test_replaces_do_not_see_it() -> None:
    """What responses and respx stand in for is as the application made it."""
    responses, requests = pytest.importorskip("responses"), pytest.importorskip("requests")
    respx, httpx = pytest.importorskip("respx"), pytest.importorskip("httpx")
    with responses.RequestsMock() as mocked:
        mocked.get("http://localhost/")
        requests.get("http://localhost/", timeout=PATIENCE_S)
        assert "baggage" not in mocked.calls[0].request.headers
    with respx.mock:
        route = respx.get("http://localhost/")
        httpx.get("http://localhost/")
        assert "baggage" not in route.calls[0].request.headers
