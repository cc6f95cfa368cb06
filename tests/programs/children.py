"""Programs that have children: forked, spawned, executed, abandoned."""

from __future__ import annotations

from tests.programs.program import Program

PROGRAMS = {
    "fork": Program("""
        import os
        from work import work
        child = os.fork()
        if not child:
            work()
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """),
    "fork that goes on to its end": Program("""
        import atexit, os, sys
        from work import work
        atexit.register(lambda: print(name, flush=True))
        name = "parent"
        child = os.fork()
        if not child:
            name = "child"
            sys.exit(work())
        print(os.waitpid(child, 0)[1])
    """),
    "fork storm": Program("""
        import os
        from work import work
        work()
        children = []
        for number in range(60):
            child = os.fork()
            if not child:
                os._exit(work(number))
            children.append(child)
        print([os.waitpid(child, 0)[1] >> 8 for child in children])
    """),
    "forks of forks": Program("""
        import os, sys
        from work import work

        def grow(depth):
            for _ in range(2):
                if depth and not os.fork():
                    grow(depth - 1)
                    sys.exit(work())
            codes = []
            while True:
                try:
                    codes.append(os.wait()[1] >> 8)
                except ChildProcessError:
                    return codes

        print(grow(3))
    """),
    "fork in a thread": Program("""
        import os, threading, warnings
        from work import work
        warnings.simplefilter("ignore")

        def fork():
            if not (child := os.fork()):
                print(threading.active_count(), threading.current_thread() is threading.main_thread(), flush=True)
                os._exit(work())
            print(os.waitpid(child, 0)[1])

        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
    """),
    "fork hooks": Program("""
        import os
        from work import work
        seen = []
        for name in ("before", "after_in_parent", "after_in_child"):
            os.register_at_fork(**{name: lambda name=name: seen.append(name)})
        if not os.fork():
            os._exit(10 * (seen == ["before", "after_in_child"]) + work())
        print(os.wait()[1] >> 8, seen)
    """),
    "fork with warnings as errors": Program(
        """
        import os
        from work import work
        if not os.fork():
            os._exit(work())
        print(os.wait()[1])
        """,
        options=("-W", "error", "main.py"),
    ),
    "fork beside a thread, with its warning": Program("""
        import os, threading, warnings
        from work import work
        warnings.simplefilter("always")
        done = threading.Event()
        for thread in (None, threading.Thread(target=done.wait)):
            if thread:
                thread.start()
            with warnings.catch_warnings(record=True) as seen:
                if not os.fork():
                    os._exit(work())
                print(os.wait()[1], [each.category for each in seen])
        done.set()
    """),
    "daemon": Program("""
        import os, sys, time
        from work import work
        ours, theirs = os.pipe()
        if not os.fork():
            os.setsid()
            if os.fork():
                os._exit(0)
            os.chdir("/")
            os.umask(0)
            null = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(null, number)
            os.closerange(3, theirs)
            os.closerange(theirs + 1, 64)
            os.write(theirs, b"daemon %d" % work())
            sys.exit()
        os.close(theirs)
        print(os.wait()[1], open(ours).read())
    """),
    "an orphan outlives its parent": Program("""
        import os, time
        from work import work
        if not os.fork():
            parent = os.getppid()
            while os.getppid() == parent:
                time.sleep(0.01)
            print("orphan", work(), flush=True)
    """),
    "no child is left to wait for": Program("""
        import os
        from work import work
        work()
        try:
            print(os.waitpid(-1, os.WNOHANG))
        except ChildProcessError as error:
            print(error)
    """),
    "children that nobody waits for": Program("""
        import os, signal, time
        from work import work
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        if not os.fork():
            os._exit(work())
        try:
            os.wait()
        except ChildProcessError as error:
            print(error)
    """),
    "SIGCHLD with a handler": Program("""
        import os, signal, time
        from work import work
        codes = []
        signal.signal(signal.SIGCHLD, lambda *_: codes.append(os.waitpid(-1, os.WNOHANG)[1]))
        if not os.fork():
            os._exit(work())
        while not codes:
            time.sleep(0.01)
        print(codes)
    """),
    "os.forkpty": Program("""
        import os
        from work import work
        child, terminal = os.forkpty()
        if not child:
            print(os.isatty(0), os.ttyname(0)[:5], work(), flush=True)
            os._exit(3)
        print(os.waitpid(child, 0)[1] >> 8, os.read(terminal, 100))
    """),
    "pty.spawn": Program("""
        import pty, sys
        from work import work
        work()
        code = "import sys, work; print(sys.stdout.isatty(), work.work())"
        print(pty.spawn([sys.executable, "-c", code], lambda number: __import__("os").read(number, 100), lambda _: b""))
    """),
    "os.execv": Program("""
        import os, sys
        from work import work
        work()
        print("before", flush=True)
        os.execv(sys.executable, [sys.executable, "-c", "import work; print('after', work.work())"])
    """),
    "exec that fails": Program("""
        import os, sys
        from work import work
        for call in (os.execv, os.execvp):
            try:
                call("no-such-program", ["x"])
            except FileNotFoundError as error:
                print(error, error.filename)
        try:
            os.execv("work.py", ["x"])
        except PermissionError as error:
            print(error)
        os.execlp("sh", "sh", "-c", f"echo {work()}")
    """),
    "exec without an environment": Program("""
        import os, sys
        from work import work
        work()
        os.execve(sys.executable, [sys.executable, "-c", "import os, work; print(work.work(), len(os.environ))"], {})
    """),
    "exec of a shell": Program('from work import work\nwork()\nimport os\nos.execl("/bin/sh", "sh", "-c", "exit 6")\n'),
    "posix_spawn": Program("""
        import os, sys
        from work import work
        actions = [(os.POSIX_SPAWN_OPEN, 1, "out", os.O_WRONLY | os.O_CREAT, 0o600)]
        child = os.posix_spawn(sys.executable, [sys.executable, "-c", "import work; print(work.work())"], os.environ,
                               file_actions=actions, setsigmask=[10])
        print(os.waitpid(child, 0)[1], open("out").read(), work())
    """),
    "subprocess": Program("""
        import subprocess, sys
        from work import work
        code = "import sys, work; print(work.work(), sys.argv, sys.stdin.read()); sys.exit('bad')"
        done = subprocess.run([sys.executable, "-c", code, "x"], input="given", text=True, capture_output=True)
        print(done.returncode, done.stdout, done.stderr, work())
        print(subprocess.getstatusoutput("exit 4"), subprocess.check_output("echo out", shell=True))
    """),
    "subprocess that takes too long": Program("""
        import subprocess, sys
        from work import work
        command = [sys.executable, "-c", "import time, work; work.work(); print('x', flush=True); time.sleep(600)"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        print(child.stdout.readline())
        try:
            child.wait(0.2)
        except subprocess.TimeoutExpired as error:
            print(error.timeout, work())
        child.terminate()
        print(child.wait())
    """),
    "subprocess without an environment": Program("""
        import subprocess, sys
        from work import work
        print(subprocess.run([sys.executable, "-c", "import os; print(len(os.environ))"], env={}).returncode, work())
    """),
    "subprocess with a preexec_fn": Program("""
        import os, subprocess, sys
        from work import work
        print(subprocess.run(["sh", "-c", "umask"], preexec_fn=lambda: os.umask(0o27)).returncode, work())
    """),
    "descriptors of a child": Program("""
        import os, subprocess, sys
        from work import work
        ours, theirs = os.pipe()
        shows = "print(sorted(map(int, os.listdir('/proc/self/fd'))))"
        code = f"import os, sys; os.write(int(sys.argv[1]), b'hello'); {shows}"
        command = [sys.executable, "-S", "-c", code, str(theirs)]
        print(subprocess.run(command, pass_fds=[theirs], env={}).returncode, os.read(ours, 9), work())
        subprocess.run(command, close_fds=False, env={})
        os.set_inheritable(theirs, True)
        subprocess.run(command, close_fds=False, env={})
    """),
    "killed by group": Program("""
        import os, signal, subprocess, sys
        from work import work
        code = "import time, work; work.work(); print('x', flush=True); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, process_group=0)
        child.stdout.readline()
        os.killpg(child.pid, signal.SIGKILL)
        print(child.wait(), work())
    """),
    "pipeline of a shell": Program(
        "import sys, work\nfor line in sys.stdin:\n    print(line.strip(), work.work(), flush=True)\n",
        shell='seq 3 | "$@" | "$@" | tail -n 2; echo "${PIPESTATUS[@]}"',
    ),
    "os.system": Program("""
        import os, sys
        from work import work
        print(os.system("exit 3"), os.popen(f"{sys.executable} -c 'import work; print(work.work())'").read(), work())
    """),
}
