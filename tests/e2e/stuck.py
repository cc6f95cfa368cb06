"""A recorded server that accepts whoever asks for its data, and then goes silent or dies: ``stuck.py FOLDER HOW``."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from server_hook.control.channel import socket_folder
from server_hook.store import records, segment, working_folder
from server_hook.store.fingerprint import fingerprint


def main() -> None:
    """Announce this process with one segment, and wait to be asked."""
    project, how = Path(sys.argv[1]), sys.argv[2]
    folder = working_folder.make_folder(str(project), f"{os.getpid()}-stuck")
    work = str(project / "app" / "work.py")
    part = segment.Part(segment.Label("pipeline"), 1.0, 2.0)
    part.add(segment.Source(work, fingerprint(work)), segment.bitmap([1, 4]))
    segment.write(folder, 1, [part])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address := f"{socket_folder()}/{os.getpid()}-stuck.sock")
        listener.listen()
        record = records.describe_process(f"{os.getpid()}-stuck", "pipeline", "", {})
        records.write_record(folder, record._replace(socket=address))
        Path("stuck").write_text(str(os.getpid()))
        request = b""
        while not request:  # without /proc, who wants to know whether it lives just knocks
            client, _ = listener.accept()
            request = client.recv(4096)
        Path("asked").write_bytes(request)
        Path(f"asked-{os.getpid()}").touch()
        if how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()


main()
