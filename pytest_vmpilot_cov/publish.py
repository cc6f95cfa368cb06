"""Combined -> .coverage, .coverage.tests and .coverage.pipeline: what was counted, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Combined, Options
from server_hook.store import publication, publish, working_folder
from server_hook.store.segment import ByContext


def write_data_files(options: Options, combined: Combined, leave: str) -> Iterator[str]:
    """Write ``.coverage.tests``, ``.coverage.pipeline`` and ``.coverage`` with exactly what was counted."""
    own = os.path.basename(options.settings.data_file)
    targets: list[tuple[str, ByContext, Iterable[str]]] = [
        (options.tests_file, only(combined.counted, pipeline=False), ()),
        (publish.PIPELINE_FILE, only(combined.counted, pipeline=True), ()),
        (own, combined.counted, combined.untouched),
    ]
    for name, united, untouched in targets:
        if str(options.data_folder / name) == leave:
            continue
        try:
            if united or name == own or (options.data_folder / name).exists():
                write(options, name, united, untouched, combined.oldest)
        except OSError as error:
            yield say("cannot-write", path=options.data_folder / name, why=error.strerror or error)


def write(
    options: Options, name: str, united: ByContext, untouched: Iterable[str], oldest: Mapping[str, float]
) -> None:
    """Write one data file beside ``.coverage``; keep a file of somebody else that has its name.

    Args:
        options: where it goes, and how sources are named.
        name: that of the data file.
        united: what was measured.
        untouched: source files that never ran.
        oldest: when the oldest measurement of each origin began.

    Raises:
        OSError: when it cannot be written.
    """
    folder = str(options.data_folder)
    target = os.path.join(folder, name)
    with working_folder.lock(folder):
        if name in (options.tests_file, publish.PIPELINE_FILE):
            publish.keep_foreign(target, folder)
        base = options.settings.relative_to
        named = [os.path.relpath(path, base) if base else path for path in untouched]
        publication.write_or_remove(target, publish.relative(united, base), named, oldest)


def only(counted: ByContext, *, pipeline: bool) -> ByContext:
    """Choose what the pipeline reached, or everything else; contexts of single tests are of the tests."""
    return {context: files for context, files in counted.items() if (context == "pipeline") == pipeline}
