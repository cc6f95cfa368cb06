"""A small ASGI application whose lines say what reaches them."""

from __future__ import annotations

import pytest

from tests.conftest import Project

MAIN = """
    import os  # start


    def answer(path):  # start
        if path == "/driven":  # always
            return b"driven"  # driven
        if path == "/pid":  # always
            return str(os.getpid()).encode()  # pid
        return b"other"  # always


    async def app(scope, receive, send):  # start
        if scope["type"] == "lifespan":  # always
            while True:  # always
                message = await receive()  # always
                await send({"type": message["type"] + ".complete"})  # always
                if message["type"] == "lifespan.shutdown":  # always
                    return  # stop
        body = answer(scope["path"])  # always
        await send({"type": "http.response.start", "status": 200, "headers": []})  # always
        await send({"type": "http.response.body", "body": body})  # always
"""


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with a server application and one unit test."""
    project.package("app", main=MAIN)
    project.write("tests/test_one.py", "def test_one():\n    assert True\n")
    return project
