"""Combined -> Combined of one origin: as many files and statements as before, reached by that origin alone. Pure."""

from __future__ import annotations

from dataclasses import replace

from pytest_vmpilot_cov.model import Combined
from server_hook.store import publication, segment


def only_origin(combined: Combined, origin: str) -> Combined:
    """Leave out what other origins reached; without an origin, leave out nothing.

    Files that only others reached stay: as source files that never ran. So do branches, even if this origin measured
    lines alone: its percentage is that of its row.
    """
    if not origin:
        return combined
    counted = {label: files for label, files in combined.counted.items() if label.origin == origin}
    if publication.has_arcs(combined.counted):
        counted = {
            label: {source: segment.to_arcs(measured) for source, measured in files.items()}
            for label, files in counted.items()
        }
    reached = {source.path for files in counted.values() for source in files}
    others = {
        source.path: source.tracer
        for files in combined.counted.values()
        for source in files
        if source.path not in reached
    }
    return replace(combined, counted=counted, untouched={**combined.untouched, **others})
