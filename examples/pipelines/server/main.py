"""The application: ``python -m uvicorn server.main:app``."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from server import routes
from server.config import pipelines_folder
from server.pipelines import Pipelines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have the pipelines loaded while the server runs."""
    async with aclosing(Pipelines(pipelines_folder())) as pipelines:
        await pipelines.reload()
        app.state.pipelines = pipelines
        yield


app = FastAPI(title="Pipelines", lifespan=lifespan)
app.include_router(routes.public)
app.include_router(routes.protected)
