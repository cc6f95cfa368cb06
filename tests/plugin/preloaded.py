"""Run pytest sessions in forks of a process that has imported pytest and coverage.py already: each starts at once."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module

MODULES = ("coverage.cmdline", "coverage.xmlreport", "coverage.lcovreport", "pytest")


def serve() -> None:
    """Run one session for each line of the standard input; answer each with its exit code."""
    for name in (*MODULES, *sys.argv[1:]):
        import_module(name)
    import pytest

    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.chdir(asked["folder"])
            output = os.open(asked["output"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            for number in (1, 2):
                os.dup2(output, number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.argv = ["pytest", *asked["words"]]
            sys.path[0] = asked["folder"]  # as python -m pytest has it
            sys.exit(pytest.main(asked["words"]))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
