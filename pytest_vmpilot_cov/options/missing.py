"""What the options name and this machine does not have: said before the tests run, and again with the verdict."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pytest_vmpilot_cov.messages import say, shown_path
from pytest_vmpilot_cov.model import Options


def missing_paths(options: Options) -> Iterator[str]:
    """Yield one sentence for each folder of the source, and each place of pipeline data, that does not exist.

    The default places need not exist: data may or may not lie there.
    """
    from server_hook.config.sources import missing_sources

    for source, cure in missing_sources(options.settings.source, options.settings.folder):
        yield say("source-missing", path=shown_path(source, options.root), where=options.source_from, cure=cure)
    config = options.settings.config_file or options.settings.folder
    for place in options.data_places:
        if place.where != "default" and not os.path.exists(place.value):
            yield say("pipeline-not-found", path=place.value, where=place.where, config=config)
