"""The addresses of the server."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict

from server.auth import require_key
from server.completion import completion, completion_stream
from server.pipelines import Pipelines

public = APIRouter()
protected = APIRouter(prefix="/v1", dependencies=[Depends(require_key)])


class ChatForm(BaseModel):
    """The body of a chat request; what else it holds reaches the pipeline too."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[dict[str, Any]]
    stream: bool = False


async def pipelines(request: Request) -> Pipelines:
    """Return the pipelines of the application that got the request."""
    loaded: Pipelines = request.app.state.pipelines
    return loaded


Loaded = Annotated[Pipelines, Depends(pipelines)]


@public.get("/")
async def status(loaded: Loaded) -> dict[str, Any]:
    """Say that the server is up, and which pipelines it has."""
    return {"status": True, "pipelines": list(loaded.names())}


@protected.get("/models")
async def models(loaded: Loaded) -> dict[str, Any]:
    """List the pipelines as models."""
    entries = [
        {"id": model_id, "name": name, "object": "model", "owned_by": "pipelines"}
        for model_id, name in loaded.names().items()
    ]
    return {"object": "list", "data": entries}


@protected.post("/chat/completions")
async def chat(form: ChatForm, loaded: Loaded) -> Response:
    """Have a pipeline answer the last message of the user."""
    pipeline = loaded.get(form.model)
    if pipeline is None:
        known = ", ".join(loaded.names()) or "none"
        raise HTTPException(404, f"there is no pipeline {form.model!r}; loaded: {known}")
    question = _question(form.messages)
    # In a thread, because a pipeline may take its time.
    answer = await run_in_threadpool(pipeline.pipe, question, form.model, form.messages, form.model_dump())
    if form.stream:
        return StreamingResponse(completion_stream(form.model, answer), media_type="text/event-stream")
    return JSONResponse(completion(form.model, answer))


@protected.post("/pipelines/reload")
async def reload(loaded: Loaded) -> dict[str, Any]:
    """Load the pipelines anew, in this process."""
    await loaded.reload()
    return {"status": True, "pipelines": list(loaded.names())}


def _question(messages: list[dict[str, Any]]) -> str:
    if not messages or messages[-1].get("role") != "user":
        raise HTTPException(400, "the last message must be one of the user")
    content = messages[-1].get("content")
    return content if isinstance(content, str) else ""
