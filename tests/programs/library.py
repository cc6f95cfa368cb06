"""Programs that use the standard library: sockets, files, logging, databases."""

from __future__ import annotations

from tests.programs.program import Program

PROGRAMS = {
    "logging": Program("""
        import logging, logging.config, logging.handlers
        from work import work
        print(logging.root.handlers, logging.root.level, sorted(logging.root.manager.loggerDict), logging.lastResort)
        logging.warning("before %d", work())
        logging.config.dictConfig({
            "version": 1, "disable_existing_loggers": True,
            "handlers": {"file": {"class": "logging.FileHandler", "filename": "log"}},
            "root": {"handlers": ["file"], "level": "DEBUG"},
        })
        logging.getLogger("a.b").debug("into the file")
        logging.captureWarnings(True)
        logging.shutdown()
    """),
    "logging that raises": Program("""
        import logging
        from work import work

        class Bad(logging.Handler):
            def emit(self, record):
                raise RuntimeError(record.getMessage())

        logging.root.addHandler(Bad())
        work()
        logging.getLogger("mine").error("heard")
    """),
    "http.server": Program("""
        import http.client, http.server, threading
        from work import work

        class Page(http.server.SimpleHTTPRequestHandler):
            def do_POST(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"%d" % work(int(self.rfile.read(int(self.headers["Content-Length"])))))

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        connection = http.client.HTTPConnection(*server.server_address)
        connection.request("POST", "/", "41")
        print(connection.getresponse().read())
        connection.request("GET", "/work.py")
        print(connection.getresponse().status)
        server.shutdown()
        thread.join()
        server.server_close()
    """),
    "socketserver that forks": Program("""
        import os, socket, socketserver, threading, warnings
        from work import work
        warnings.simplefilter("ignore")

        class Answer(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"%s %d" % (self.rfile.readline().strip(), work()))

        class Server(socketserver.ForkingMixIn, socketserver.TCPServer):
            pass

        with Server(("127.0.0.1", 0), Answer) as server:
            client = socket.create_connection(server.server_address)
            client.sendall(b"hello\\n")
            server.handle_request()
            print(client.makefile().read())
            client.close()
    """),
    "select, poll and epoll": Program("""
        import os, select, selectors, socket
        from work import work
        one, other = socket.socketpair()
        other.send(b"x")
        print(select.select([one], [], [], 0)[0] == [one])
        poll = select.poll()
        poll.register(one, select.POLLIN)
        print([event for _, event in poll.poll(0)])
        with select.epoll() as epoll, selectors.DefaultSelector() as selector:
            epoll.register(one, select.EPOLLIN)
            selector.register(one, selectors.EVENT_READ, "data")
            print([event for _, event in epoll.poll(0)], [key.data for key, _ in selector.select(0)], work())
    """),
    "descriptors sent to a child": Program("""
        import os, socket
        from work import work
        one, other = socket.socketpair()
        if not os.fork():
            _, [number], _, _ = socket.recv_fds(other, 10, 1)
            os.write(number, b"%d" % work())
            os._exit(0)
        ours, theirs = os.pipe()
        socket.send_fds(one, [b"x"], [theirs])
        os.close(theirs)
        print(os.read(ours, 10), os.wait()[1])
    """),
    "pidfd and memfd": Program("""
        import os, select
        from work import work
        if not (child := os.fork()):
            os._exit(work(4))
        number = os.pidfd_open(child)
        print(select.select([number], [], [], 60)[0] == [number], os.waitid(os.P_PIDFD, number, os.WEXITED).si_status)
        memory = os.memfd_create("m")
        print(os.write(memory, b"abc"), os.pread(memory, 9, 0))
    """),
    "sqlite3": Program("""
        import sqlite3
        from work import work
        sqlite3.enable_callback_tracebacks(True)
        with sqlite3.connect("file.db") as database:
            database.create_function("work", 1, work)
            database.execute("create table t (x)")
            database.executemany("insert into t values (?)", [(1,), (2,)])
            print(database.execute("select work(x) from t").fetchall())
        try:
            database.execute("select work('a')")
        except sqlite3.OperationalError as error:
            print(error)
        database.close()
    """),
    "tempfile": Program("""
        import os, tempfile
        from work import work
        print(os.listdir(tempfile.gettempdir()) is not None, os.path.basename(tempfile.mkdtemp(prefix="x", dir="."))[0])
        with tempfile.TemporaryDirectory(dir=".") as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
            print(os.stat(file.name).st_mode, work())
        for name in os.listdir():
            if name.startswith("x"):
                os.rmdir(name)
    """),
    "archives": Program("""
        import io, tarfile, zipfile
        from work import work
        with zipfile.ZipFile("a.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("x"), "text")
        with tarfile.open("a.tar", "w") as archive:
            archive.addfile(tarfile.TarInfo("x"), io.BytesIO())
        print(zipfile.ZipFile("a.zip").read("x"), tarfile.open("a.tar").getnames(), work())
    """),
    "import from a zip file": Program("""
        import sys, zipfile
        with zipfile.ZipFile("a.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("zipped.py"), "import work\\nvalue = work.work()\\n")
        sys.path.insert(0, "a.zip")
        import zipped
        print(zipped.value, zipped.__loader__.archive[-5:])
    """),
    "pickle of own classes": Program("""
        import copy, dbm.dumb, pickle, shelve
        from dataclasses import dataclass
        from work import work

        @dataclass
        class Point:
            x: int

        data = pickle.dumps(Point(work()))
        print(pickle.loads(data), copy.deepcopy(Point(3)), len(data))
        with shelve.Shelf(dbm.dumb.open("shelf")) as shelf:
            shelf["point"] = Point(4)
            print(shelf["point"])
    """),
    "ctypes callbacks": Program("""
        import ctypes
        from work import work
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
        numbers = (ctypes.c_int * 4)(3, 1, 4, 2)
        compare = kind(lambda a, b: a[0] - b[0] + 0 * work())
        ctypes.CDLL(None).qsort(numbers, 4, ctypes.sizeof(ctypes.c_int), compare)
        print(list(numbers))
    """),
    "fork in C": Program(
        """
        import ctypes, os
        from work import work
        work()
        child = ctypes.CDLL(None).fork()
        if not child:
            work()
            os._exit(3)
        print(os.waitpid(child, 0)[1] >> 8)
        """,
        interval_s=3600,
        env={"PYTHON_LAZY_IMPORTS": "all"},  # ctypes may come after all else
    ),
    "thread in C": Program("""
        import ctypes, threading
        from work import work
        libc, thread, seen = ctypes.CDLL(None), ctypes.c_ulong(), []
        kind = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
        start = kind(lambda _: seen.append((work(), threading.current_thread().name)))
        libc.pthread_create(ctypes.byref(thread), None, start, None)
        ctypes.PyDLL(None).PyErr_CheckSignals()
        libc.pthread_join(thread, None)
        print(seen, threading.active_count(), work())
    """),
    "codecs and input": Program(
        "import fileinput, work\nfor line in fileinput.input(encoding='utf-8'):\n    print(work.work(), line)\n",
        stdin="a\n\u00e4\n",
    ),
    "interactive console": Program(
        """
        import code, cmd
        from work import work
        code.interact(banner="hello", local={"work": work}, exitmsg="bye")
    """,
        stdin="work(1)\n1 / 0\n",
    ),
    "argparse": Program("""
        import argparse
        from work import work
        parser = argparse.ArgumentParser()
        parser.add_argument("--number", type=int, default=work())
        parser.parse_args(["--number"])
    """),
    "curses-like terminals": Program("""
        import os, pty, termios, tty
        from work import work
        ours, theirs = pty.openpty()
        before = termios.tcgetattr(theirs)
        tty.setraw(theirs)
        os.write(ours, b"k")
        print(os.read(theirs, 1), before != termios.tcgetattr(theirs), os.get_terminal_size(theirs).columns, work())
    """),
}
