"""The pipelines that are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.loader import Pipeline, load_folder

if TYPE_CHECKING:
    from pathlib import Path


class Pipelines:
    """Load, start, look up and stop pipelines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, Pipeline] = {}

    async def reload(self) -> None:
        """Execute the files of the folder anew, start their pipelines and stop those in use so far.

        Packages that a file imports stay as they are in memory; only a restart reads them anew.
        """
        loaded = load_folder(self._folder)
        for pipeline in loaded.values():
            await pipeline.on_startup()
        await self.aclose()
        self._loaded = loaded

    async def aclose(self) -> None:
        """Stop all pipelines."""
        in_use, self._loaded = self._loaded, {}
        for pipeline in in_use.values():
            await pipeline.on_shutdown()

    def get(self, model_id: str) -> Pipeline | None:
        """Return the pipeline that the API knows under this name of a model."""
        return self._loaded.get(model_id)

    def names(self) -> dict[str, str]:
        """Return the readable name of each pipeline, by id."""
        return {model_id: pipeline.name for model_id, pipeline in self._loaded.items()}
