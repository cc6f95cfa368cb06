"""Ask live processes, all at once, with a time limit."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_vmpilot_cov.collect.processes import Scope, distinct, find_processes, folder_of, life_in, places_of
from pytest_vmpilot_cov.model import Delivery, Options
from pytest_vmpilot_cov.servers.ports import listening_at
from server_hook.control import client
from server_hook.control.channel import CAN_LISTEN
from server_hook.store import epochs, publish, records, working_folder
from server_hook.store.records import Record

WAIT_S = 5.0
"""How long live processes may take to deliver, all of them together."""
ENDING_S = 1.0
"""How long a process may take to end when its control channel is closed already."""


def ask_servers(
    options: Options, do: str, places: Sequence[Path] = (), refuse: Callable[[OSError], object] = str
) -> list[Delivery]:
    """Ask every process of the pipeline servers for a dump or a reset; say who answered and what.

    Args:
        options: say where servers keep their data.
        do: dump or reset.
        places: where they keep it, in place of that.
        refuse: is called for each thing there that is not used.

    Raises:
        OSError: when a data folder cannot be written, and so not be reset.
    """
    folders = distinct(folder_of(place) for place in places or places_of(options))
    processes = find_processes(folders, options, Scope(), refuse=refuse)
    deliveries = [each for each in processes if each.record.origin == "pipeline"]
    if do == "reset":
        # noted for the processes that are gone and cannot be asked any more
        for folder in folders:
            if any(working_folder.process_folders(folder)) or (folder / publish.PIPELINE_FILE).exists():
                epochs.note_reset(str(folder), time.time())
    return ask_all([each for each in deliveries if each.life != "dead"], do)


def ask_all(deliveries: list[Delivery], do: str) -> list[Delivery]:
    """Ask every live process at the same time; note those that do not answer in time, and do not wait for them."""
    deadline = time.monotonic() + WAIT_S

    def should_ask(delivery: Delivery) -> bool:
        return delivery.life != "dead" and delivery.record.pid != os.getpid()

    answers = list(deliveries)  # each thread writes its own place in it, so no lock is needed

    def ask(place: int) -> None:
        why = _why_unreachable(deliveries[place])
        answers[place] = replace(deliveries[place], asked=True, problem=why or "it could not be asked")
        if not why:  # what stands above stays if asking raises
            answers[place] = _ask(replace(deliveries[place], asked=True), do, deadline)

    asking = []
    for place in (place for place, each in enumerate(deliveries) if should_ask(each)):
        thread = threading.Thread(target=ask, args=(place,))  # one for each: a silent process holds up no other
        try:
            thread.start()
        except RuntimeError:  # the system has no more of them
            ask(place)
        else:
            asking.append(thread)
    for thread in asking:
        thread.join()  # ends by the common deadline
    return answers


def _ask(delivery: Delivery, do: str, deadline: float) -> Delivery:
    try:
        answer = client.ask(delivery.record.socket, do, deadline, records.owner_of(delivery.folder))
    except TimeoutError:
        return replace(delivery, problem=f"no answer within {WAIT_S:g} s")
    except client.RefusedError as error:
        return replace(delivery, problem=str(error))
    except OSError as error:
        record = _last_record(delivery, min(deadline, time.monotonic() + ENDING_S))
        if record is not None:  # it ends, as workers do
            return replace(delivery, record=record, life="dead", asked=False)
        return replace(delivery, problem=f"its control channel failed ({error.strerror or error})")
    if answer.id != delivery.record.id:  # another process listens at its path by now
        return replace(delivery, problem=f"process {answer.pid} answered in its place")
    is_shown = do == "status" or answer.orphan  # on a busy machine the kernel's table of sockets is long
    ports = tuple(listening_at(delivery.record.pid)) if is_shown else ()
    return replace(delivery, answered=True, problem=answer.problem, answer=answer, ports=ports)


def _last_record(delivery: Delivery, until: float) -> Record | None:
    """Return the record of a process that has ended; its channel goes a moment before the process does."""
    while True:
        record = records.read_record(delivery.folder)
        if record is None:  # its folder is gone, too: compacted or erased
            return delivery.record
        if life_in(delivery.folder, record) == "dead":
            return record
        if time.monotonic() > until:
            return None
        time.sleep(0.01)


def _why_unreachable(delivery: Delivery) -> str:
    if delivery.is_copied:
        return f"it records in {delivery.record.place}"
    if delivery.life == "remote":
        return "it runs on another host or in another pid namespace and cannot be asked"
    path = delivery.record.socket
    if not path:
        nowhere = "" if CAN_LISTEN else ", as nothing has on this system"
        return delivery.record.problem or f"it has no control channel{nowhere}"
    return client.why_not_asked(path, delivery.record.id, records.owner_of(delivery.folder))
