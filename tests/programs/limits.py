"""Programs in narrow places: closed streams, few descriptors, other roots, users and folders."""

from __future__ import annotations

import os
import sys

from tests.programs.program import Program

WORKS = "import os, sys\nfrom work import work\nwork()\n"
SHOWS_STREAMS = (
    WORKS
    + """
for stream in (sys.stdin, sys.stdout, sys.stderr):
    print(stream is None or stream.closed, file=open("seen", "a"))
with open("own", "w") as file:
    print(file.fileno(), work(), file=file)
"""
)


def needs_root() -> bool:
    """Tell whether this user may not change its root or its user."""
    return os.getuid() != 0


PROGRAMS = {
    "stdin closed": Program(SHOWS_STREAMS, shell='"$@" <&-'),
    "stdout closed": Program(SHOWS_STREAMS, shell='"$@" >&-'),
    "stderr closed": Program(SHOWS_STREAMS, shell='"$@" 2>&-'),
    "all streams closed": Program(SHOWS_STREAMS, shell='"$@" <&- >&- 2>&-'),
    "streams closed meanwhile": Program("""
        import os, sys, time
        from work import work
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            stream.close()
        os.closerange(0, 100)
        work()
        time.sleep(0.3)
        number = os.open("mine", os.O_CREAT | os.O_WRONLY)
        os.write(number, b"%d" % number)
        time.sleep(0.3)
        os.write(number, b"%d" % work())
    """),
    "stdout full": Program(WORKS + "print('x')\n", shell='"$@" > /dev/full'),
    "few descriptors": Program("""
        import resource
        from work import work
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
        work()
        opened = []
        try:
            while True:
                opened.append(open("work.py"))
        except OSError as error:
            print(error)
        for each in opened:
            each.close()
        print(work())
    """),
    "small files": Program(
        """
        import resource, signal
        from work import work
        work()
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            with open("big", "wb") as file:
                file.write(bytes(100_000))
        except OSError as error:
            print(error)
        print(signal.getsignal(signal.SIGXFSZ))
    """,
        logged=("folder-unwritable",),
    ),
    "little memory": Program("""
        import resource
        from work import work
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        try:
            bytearray(2 << 30)
        except MemoryError as error:
            print(repr(error), work())
    """),
    "no further processes": Program(
        """
        import os, resource, subprocess
        from work import work
        os.chmod(".", 0o777)
        work()
        if not os.fork():
            os.setuid(12345)
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            try:
                os.fork()
            except BlockingIOError as error:
                print(error, flush=True)
            os._exit(4)
        print(os.wait()[1] >> 8)
    """,
        lacks=needs_root,
        logged=("folder-unwritable",),
    ),
    "umask": Program("""
        import os
        from work import work
        print(oct(os.umask(0o77)), work())
        os.mkdir("private")
        open("private/file", "w").close()
        print(oct(os.umask(0)))
        open("open", "w").close()
    """),
    "chdir": Program("""
        import os
        from work import work
        work()
        os.mkdir("inner")
        os.chdir("inner")
        print(os.path.basename(os.getcwd()), os.listdir())
        open("made", "w").close()
        os.chdir("/")
    """),
    "a folder that is gone": Program("""
        import os, shutil
        from work import work
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir("../gone")
        try:
            os.getcwd()
        except FileNotFoundError as error:
            print(error, work())
    """),
    "started in a folder that is gone": Program(
        "",
        options=("-c", "import sys; sys.path.insert(0, sys.argv[1]); import work; print(work.work())"),
        shell='room=$PWD; mkdir gone; cd gone; rmdir "$room/gone"; "$@" "$room"',
    ),
    "chroot": Program(
        """
        import os, time
        from work import work
        work()
        time.sleep(0.3)
        os.mkdir("jail")
        os.chroot("jail")
        os.chdir("/")
        print(os.listdir(), work())
    """,
        lacks=needs_root,
        logged=("folder-unwritable",),
    ),
    "user dropped": Program(
        """
        import os, time
        from work import work
        work()
        time.sleep(0.5)
        os.setgroups([])
        os.setresgid(12345, 12345, 12345)
        os.setresuid(12345, 12345, 12345)
        print(os.getresuid(), work())
        try:
            os.setuid(0)
        except PermissionError as error:
            print(error)
    """,
        lacks=needs_root,
        logged=("folder-unwritable",),
    ),
    "user dropped in a child": Program(
        """
        import os, subprocess
        from work import work
        work()
        print(subprocess.run(["id", "-u"], user=12345, group=12345, extra_groups=[]).returncode, work())
    """,
        lacks=needs_root,
    ),
    "namespace of users": Program(
        """
        import os
        from work import work
        work()
        try:
            os.unshare(os.CLONE_NEWUSER)
            print(os.getuid() != os.geteuid(), "alone")
        except PermissionError:
            print("not here")
        """,
        lacks=lambda: sys.version_info < (3, 12),
    ),
    "niceness and processors": Program("""
        import os
        from work import work
        print(os.nice(3), os.sched_getaffinity(0) != set(), os.getpriority(os.PRIO_PROCESS, 0), work())
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(len(os.sched_getaffinity(0)))
    """),
    "sessions and groups": Program("""
        import os
        from work import work
        print(os.getpgid(0) == os.getpgrp(), os.getsid(0) == os.getpgid(0), work())
        if not os.fork():
            os.setsid()
            os._exit(os.getsid(0) == os.getpid())
        print(os.wait()[1] >> 8)
    """),
    "a clock that stands": Program("""
        import time
        from unittest import mock
        from work import work
        with mock.patch("time.time", return_value=7.0), mock.patch("time.monotonic", return_value=7.0):
            work()
            time.sleep(0.3)
            print(time.time(), time.monotonic())
    """),
    "time zones": Program("""
        import datetime, os, time
        from work import work
        os.environ["TZ"] = "Asia/Kolkata"
        time.tzset()
        print(time.tzname, datetime.datetime.fromtimestamp(work(0)), time.strftime("%H:%M %Z", time.localtime(0)))
    """),
    "locale": Program(
        """
        import locale, sys
        from work import work
        print(locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(), sys.stdout.encoding, work())
        print(locale.setlocale(locale.LC_ALL, "C"), locale.format_string("%.1f", 1234.5, grouping=True), "\\u00e4")
    """,
        env={"LC_ALL": "C", "PYTHONIOENCODING": "latin-1:backslashreplace"},
    ),
    "odd names": Program(
        """
        import os, sys
        from work import work
        print(sys.argv, os.fsencode("\\udce4"), work())
        open("\\u00fcnn\\u00efc\\u00f6de", "w").close()
        open(b"\\xe4", "w").close()
    """,
        options=("main.py", "", "a b", "\u00e4", "$(x)"),
    ),
    "mapped memory": Program("""
        import mmap, os
        from work import work
        with open("mapped", "wb+") as file:
            file.truncate(mmap.PAGESIZE)
            shared = mmap.mmap(file.fileno(), 0)
            if not os.fork():
                shared[0] = work(64)
                os._exit(0)
            os.wait()
            print(shared[0])
        os.unlink("mapped")
    """),
}
