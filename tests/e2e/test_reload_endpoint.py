"""The reload endpoint of the example, as Open WebUI Pipelines has it: an edited file is loaded again in process."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from tests.conftest import PATIENCE_S
from tests.e2e.example import Example, deploy

CONFIG = "[run]\nsource = .\nomit = tests/*\n"
PIPELINE = "assistant_pipeline.py"
EDITED = "# a comment\n# that moves every line\n"


def post(example: Example, path: str, body: object) -> str:
    """Send a request with the example's key; return the answer."""
    request = urllib.request.Request(
        example.url + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer pipelines", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def chat(example: Example) -> None:
    """Have the deployed pipeline answer once."""
    model = json.loads(urllib.request.urlopen(example.url, timeout=PATIENCE_S).read())["pipelines"][0]
    post(example, "/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "hello"}]})


def test_reload_endpoint_begins_a_new_set(tmp_path: Path) -> None:
    """After an edit and a reload the deployed file counts as it is now, and what ran before the edit is stale."""
    example = deploy(tmp_path)
    (example.path / ".coveragerc").write_text(CONFIG)
    server = example.start(*example.uvicorn, VMPILOT_COV=".")
    try:
        example.wait_until_it_answers()
        chat(example)
        example.run("vmpilot-cov", "combine")
        before = example.lines(context="pipeline")[PIPELINE]
        source = example.path / PIPELINE
        source.write_text(EDITED + source.read_text())
        post(example, "/v1/pipelines/reload", {})
        chat(example)
        _, output = example.run("vmpilot-cov", "combine")
        assert example.lines(context="pipeline")[PIPELINE] == [line + EDITED.count("\n") for line in before]
        assert f"lines that pipeline reached in {PIPELINE} do not count: the file has changed since" in output
    finally:
        server.kill()
        server.communicate()
