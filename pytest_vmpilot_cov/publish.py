"""Combined -> .coverage, .coverage.tests and .coverage.pipeline: what was counted, and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Combined, Options, Outcome
from server_hook.store import publication, working_folder
from server_hook.store.fingerprint import fingerprint_of
from server_hook.store.publish import PIPELINE_FILE, keep_foreign, relative
from server_hook.store.safe_files import read_source
from server_hook.store.segment import ByLabel
from server_hook.systems.systems import system


def publish(options: Options, outcome: Outcome, leave: str = "") -> Outcome:
    """Write ``.coverage.tests``, ``.coverage.pipeline`` and ``.coverage`` with exactly what was counted.

    Args:
        options: where they lie.
        outcome: what was counted.
        leave: one of them that is not written.

    Returns:
        the outcome, with the files that could not be written among its problems.
    """
    return replace(outcome, problems=(*outcome.problems, *_write_all(options, outcome, leave)))


def _write_all(options: Options, outcome: Outcome, leave: str) -> Iterator[str]:
    combined, places = outcome.combined, outcome.collected.places
    own = os.path.basename(options.settings.data_file)
    targets = {
        options.tests_file: only(combined.counted, pipeline=False),
        PIPELINE_FILE: only(combined.counted, pipeline=True),
        own: combined.counted,
    }
    # the coverage.py that runs already writes it at the end of this process
    done = {name for name in targets if str(options.data_folder / name) == leave}
    for name, united in targets.items():
        if name in done:
            continue
        try:
            # an earlier one that has nothing to hold any more is removed, in write_or_remove
            if united or name == own or (options.data_folder / name).exists():
                copies = [own] if own not in done and united and united == combined.counted else []
                done.update(write(options, name, united, combined, places, copies))
        except OSError as error:
            yield say("cannot-write", path=options.data_folder / name, why=error.strerror or error)


def write(  # noqa: PLR0913, PLR0917 - what is written, and where
    options: Options,
    name: str,
    united: ByLabel,
    combined: Combined,
    places: frozenset[str] = frozenset(),
    copies: Iterable[str] = (),
) -> Iterable[str]:
    """Write one data file beside ``.coverage``; keep a foreign file that has its name.

    All are of one kind and name the same files, so that coverage.py can combine them, and finds in them the verdict's
    total, whichever of its commands comes next.

    Args:
        options: where it lies.
        name: of the file.
        united: what it will hold.
        combined: all that was counted.
        places: where servers recorded it; empty for this folder.
        copies: files that will hold the same.

    Returns:
        those that hold it now: a file for ``who`` holds more, and what can't be copied has to be written.

    Raises:
        OSError: when it cannot be written.
    """
    folder = str(options.data_folder)
    target = os.path.join(folder, name)
    with working_folder.lock(folder):  # another session may publish between the check and the write
        has_blocks = _write_one(target, options, united, combined, places)
        return [] if has_blocks else [each for each in copies if _copy(target, os.path.join(folder, each))]


def _write_one(target: str, options: Options, united: ByLabel, combined: Combined, places: frozenset[str]) -> bool:
    """Write a data file; tell whether it holds the blocks of sources, which ``.coverage`` does without."""
    is_part = os.path.basename(target) in (options.tests_file, PIPELINE_FILE)
    if is_part:
        keep_foreign(target, os.path.dirname(target))
    base = options.settings.relative_to
    # if nothing was counted, only .coverage lists the files that never ran; the other two are removed
    never_ran = combined.untouched if united or not is_part else {}
    untouched = {os.path.relpath(path, base) if base else path: plugin for path, plugin in never_ran.items()}
    blocks = _blocks(options, combined) if is_part else b""
    publication.write_or_remove(
        target,
        relative(united, base),
        untouched,
        branch=publication.has_arcs(combined.counted),
        oldest=combined.oldest,
        blocks=blocks,
        places=places,
        outside=relative(combined.outside, base),
    )
    return bool(blocks)


def _copy(source: str, target: str) -> bool:
    """Copy a data file aside and then into place; tell whether that was possible."""
    try:
        with publication.aside_of(target) as aside:
            shutil.copy(source, aside)  # with its mode: SQLite gives its files one of its own
            system.replace(aside, target)
    except OSError:
        return False
    return True


def _blocks(options: Options, combined: Combined) -> bytes:
    """Split the sources that tests ran, as they were measured, into blocks; those of earlier files are taken over."""
    sources = {source for label, files in combined.counted.items() if label.context for source in files}
    if not sources:
        return b""
    from server_hook.store import blocks  # where no test is told apart nothing is split

    split = {**blocks.read_blocks(options.data_folder / options.tests_file)}
    split |= blocks.read_blocks(options.data_folder / PIPELINE_FILE)
    by_content: dict[str, blocks.Blocks] = {}
    for source in sources:
        if source.fingerprint in split:
            by_content[source.fingerprint] = split[source.fingerprint]
            continue
        with contextlib.suppress(OSError, ValueError):  # it is gone, or no Python
            content = read_source(source.path)
            if fingerprint_of(content) == source.fingerprint:
                by_content[source.fingerprint] = blocks.blocks_of(content)
    return blocks.encode(by_content)


def only(counted: ByLabel, *, pipeline: bool) -> ByLabel:
    """Choose what the pipeline reached, or everything else."""
    return {label: files for label, files in counted.items() if (label.origin == "pipeline") == pipeline}
