"""Whose work is what a request hands on, and what becomes of it when the test, the epoch or the process changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from coverage import Coverage, CoverageData

from server_hook.store import segment, working_folder
from tests.server.test_attribution import PATIENCE_S

PROGRAM = """
    def first(which):
        if which == "a":
            return 1
        return 2


    def loop(items, seen):
        while True:
            item = items.get()
            if item is None:
                return
            seen(item)
"""
HEAD = """
    import asyncio, inspect, os, pickle, queue, sys, threading, time
    from concurrent.futures import Future, ThreadPoolExecutor
    from contextlib import contextmanager
    from pathlib import Path
    from app import main
    from server_hook.attribution.tags import TEST

    recorder = sys._vmpilot_cov.recorder

    @contextmanager
    def request(test):
        attribution = sys._vmpilot_cov.recorder.attribution
        token = attribution.begin_request([f"vmpilot-cov={test}"] if test else [], lambda: (None, None))
        try:
            yield
        finally:
            attribution.end_request(token)

    def end(test):
        recorder.attribution.serving.end(test)
"""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Give what runs scripts in a recorded process."""
    return Script(tmp_path)


class Script:
    """Runs scripts in recorded processes of their own."""

    def __init__(self, folder: Path) -> None:
        """Write the application."""
        self.folder = folder
        (folder / "app").mkdir()
        (folder / "app/__init__.py").touch()
        (folder / "app/main.py").write_text(dedent(PROGRAM).lstrip())
        (folder / ".coveragerc").write_text("[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 3600\n")

    def run(self, text: str) -> dict[str, set[int]]:
        """Run a script; return the lines of the application, by test, all of them by the empty one."""
        (self.folder / "script.py").write_text(dedent(HEAD) + dedent(text))
        env = {**os.environ, "VMPILOT_COV": str(self.folder), "VMPILOT_COV_DATA_DIR": str(self.folder)}
        command = [sys.executable, "script.py"]
        done = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return self.lines()

    def lines(self) -> dict[str, set[int]]:
        """Read what was recorded, start-up lines left out."""
        found: dict[str, set[int]] = {}
        for folder in working_folder.process_folders(self.folder):
            for _, parts in segment.read_folder(folder):
                assert isinstance(parts, list), parts
                for part in parts:
                    for source, measured in part.files.items():
                        if source.path.endswith("main.py"):
                            lines = segment.line_numbers(segment.to_lines(measured))
                            found.setdefault(part.label.context, set()).update(lines)
        return found

    def branches(self, test: str) -> set[tuple[int, int]]:
        """Judge what a test has run by coverage.py's rules; return the branches that it took."""
        taken: set[tuple[int, int]] = set()
        for folder in working_folder.process_folders(self.folder):
            for _, parts in segment.read_folder(folder):
                assert isinstance(parts, list), parts
                measured = [part.files for part in parts if part.label.context == test]
                taken.update(*(segment.to_arcs(each) for files in measured for each in files.values()))
        path = str(self.folder / "app/main.py")
        data = CoverageData(str(self.folder / "data"))
        data.erase()
        data.add_arcs({path: taken})
        data.write()
        data.close()
        report = str(self.folder / "report.json")
        judge = Coverage(str(self.folder / "data"), branch=True, config_file=False)
        judge.load()
        judge.json_report(outfile=report)
        judge.get_data().close()
        (judged,) = json.loads(Path(report).read_text())["files"].values()
        return set(map(tuple, judged["executed_branches"]))


def test_each_test_has_its_own_lines_and_the_totals_have_all(script: Script) -> None:
    """Two tests that take different ways through a function have these, and what all have run has both."""
    lines = script.run("""
        with request("a"):
            main.first("a")
        with request("b"):
            main.first("b")
    """)
    assert lines["a"] == {2, 3}
    assert lines["b"] == {2, 4}
    assert lines[""] >= {2, 3, 4}


@pytest.mark.skipif((3, 12) <= sys.version_info < (3, 14), reason="a test has lines alone there")
def test_each_test_has_its_own_branches(script: Script) -> None:
    """Two tests at once that take different ways have the branches of these ways, as each would have alone."""
    ways = """
        def ways(which):
            for number in range(2):
                if which == "a" and number:
                    break
            else:
                while number < 3:
                    number += 1
            def short(): return which
            class Both: which = 1
            def long(): return 2
            if short() == "a":
                long()
            with suppress(ValueError):
                if which == "b":
                    raise ValueError
            match which:
                case "a":
                    return 1
                case "b":
                    pass
            try:
                if number:
                    return 2
            finally:
                number = 0
    """
    main = script.folder / "app/main.py"
    main.write_text("from contextlib import suppress\n" + dedent(ways))
    (script.folder / ".coveragerc").write_text("[run]\nsource = app\nbranch = true\n")
    branches: dict[str, list[set[tuple[int, int]]]] = {}
    for tests in ("a", "b", "ab"):
        script.run(f"""
            threads = []
            for test in "{tests}":
                with request(test):
                    main.ways(test)
                    threads.append(threading.Thread(target=main.ways, args=test))
                    threads[-1].start()
            for each in threads:
                each.join()
        """)
        for test in tests:
            branches.setdefault(test, []).append(script.branches(test if tests == "ab" else ""))
        shutil.rmtree(script.folder / working_folder.WORKING_FOLDER)
    assert [both for _, both in branches.values()] == [alone for alone, _ in branches.values()]
    assert (5, 6) in branches["a"][0]
    assert (5, 6) not in branches["b"][0]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="nothing is armed there")
def test_a_function_that_several_threads_call_first_is_told_apart(script: Script) -> None:
    """Whoever enters a new function while another thread has met it and not armed it yet has its lines."""
    lines = script.run("""
        with request("a"):
            engine = recorder.attribution.serving.engine
        arm, is_met, go = engine._arm_enter, threading.Event(), threading.Event()
        def arm_late(body):
            is_met.set()
            go.wait()
            arm(body)
        engine._arm_enter = arm_late
        def work(test):
            with request(test):
                main.first(test)
        first = threading.Thread(target=work, args="a")
        first.start()
        is_met.wait()
        for test in ("b", "c"):
            work(test)
        go.set()
        first.join()
    """)
    assert lines["a"] == {2, 3}
    assert lines["b"] == lines["c"] == {2, 4}


def test_a_test_that_is_over_claims_nothing_more(script: Script) -> None:
    """What a test has left running in the background is nobody's once it is over."""
    lines = script.run("""
        go, done = threading.Event(), threading.Event()
        def late():
            go.wait()
            main.first("b")
            done.set()
        with request("a"):
            main.first("a")
            threading.Thread(target=late).start()
        end("a")
        go.set()
        done.wait()
    """)
    assert lines["a"] == {2, 3}
    assert lines[""] >= {2, 3, 4}


def test_what_a_test_leaves_in_the_background_is_its_own_until_it_is_over(script: Script) -> None:
    """A thread that outlives its request still works for its test."""
    lines = script.run("""
        with request("a"):
            thread = threading.Thread(target=main.first, args=("a",))
            thread.start()
        thread.join()
    """)
    assert lines["a"] == {2, 3}


def test_a_shared_worker_works_for_the_test_of_each_item(script: Script) -> None:
    """A worker that nobody's work has started is each item's test's, and nobody's while it waits."""
    lines = script.run("""
        items, seen = queue.Queue(), queue.Queue()
        worker = threading.Thread(target=main.loop, args=(items, lambda item: (main.first(item), seen.put(TEST.get()))))
        worker.start()
        for test in ("a", "b", ""):
            with request(test):
                items.put(test)
                assert seen.get() == test
        items.put(None)
        worker.join()
    """)
    assert lines["a"] >= {2, 3, 10, 12}
    assert 4 not in lines["a"]
    assert lines["b"] >= {2, 4, 10, 12}
    assert 11 not in lines["a"] | lines["b"]


def test_a_request_that_reads_messages_of_others_stays_its_own(script: Script) -> None:
    """A streaming answer that takes what another test has published goes on under its own test."""
    script.run("""
        with request("a"):
            mine = queue.Queue()
            with request("b"):
                mine.put("news")
            mine.get()
            assert TEST.get() == "a"
    """)


@pytest.mark.parametrize(
    "take",
    [
        "await asyncio.wait_for(items.get(), 60)",
        "await asyncio.wait_for(one(items), 60)",
        "await asyncio.create_task(one(items))",
        "(await asyncio.wait([asyncio.create_task(items.get())]))[0].pop().result()",
        "(await asyncio.gather(items.get(), asyncio.sleep(0)))[0]",
        "await asyncio.shield(items.get())",
    ],
)
def test_who_waits_for_a_task_that_takes_an_item_works_for_its_test(script: Script, take: str) -> None:
    """A worker that takes items in tasks is each item's test's, and a request that takes messages so stays its own."""
    lines = script.run(f"""
        async def one(items):
            return await items.get()

        async def work(items):
            while True:
                item = {take}
                main.first(item)
                seen.append((item, TEST.get()))

        async def stream(test):
            with request(test):
                news = {take.replace("items", "messages")}
                main.first("c")
                seen.append((news, TEST.get()))

        async def all_of_it():
            global messages
            items, messages = asyncio.Queue(), asyncio.Queue()
            worker = asyncio.create_task(work(items))
            await asyncio.sleep(0)
            for test in ("a", "b", ""):
                with request(test):
                    items.put_nowait(test)
                while len(seen) < 1 + len(served):
                    await asyncio.sleep(0)
                served.append(test)
            worker.cancel()
            listener = asyncio.create_task(stream("c"))
            await asyncio.sleep(0)
            with request("a"):
                messages.put_nowait("news")
            await listener

        seen, served = [], []
        asyncio.run(all_of_it())
        assert seen == [("a", "a"), ("b", "b"), ("", ""), ("news", "c")], seen
    """)
    assert lines["a"] == {2, 3}
    assert lines["b"] == lines["c"] == {2, 4}


def test_a_pool_that_a_test_has_started_serves_the_next(script: Script) -> None:
    """A thread of a pool is of no test between two pieces of work."""
    lines = script.run("""
        pool = ThreadPoolExecutor(1)
        with request("a"):
            assert pool.submit(main.first, "a").result() == 1
        with request("b"):
            assert pool.submit(main.first, "b").result() == 2
        assert pool.submit(TEST.get).result() == ""
    """)
    assert lines["a"] == {2, 3}
    assert lines["b"] == {2, 4}


def test_greenlets_that_a_request_starts_are_its_tests(script: Script) -> None:
    """What gevent spawns, now or later, alone or in a pool, works for the test whose request has started it."""
    pytest.importorskip("gevent")
    (script.folder / ".coveragerc").write_text("[run]\nsource = app\nconcurrency = gevent,thread\n")
    lines = script.run("""
        import gevent, gevent.pool
        pool, threads, mine = gevent.pool.Pool(3), gevent.get_hub().threadpool, []
        def tested(number):
            return TEST.get(), number
        def later(test):
            gevent.sleep(0)
            main.first(test)
            mine.append(TEST.get())
        def serve(test):
            with request(test):
                gevent.spawn(later, test)
                gevent.spawn_later(0.001, later, test)
                pool.spawn(later, test)
                assert pool.map(tested, [1, 2]) == [(test, 1), (test, 2)]
                assert threads.map(tested, [1, 2]) == [(test, 1), (test, 2)]
                assert sorted(pool.imap_unordered(tested, [1, 2])) == [(test, 1), (test, 2)]
        requests = [gevent.spawn(serve, test) for test in ("a", "b", "")]
        gevent.joinall(requests, raise_error=True)
        while len(mine) < 9:
            gevent.sleep(0.001)
        assert sorted(mine) == ["", "", "", "a", "a", "a", "b", "b", "b"], mine
    """)
    assert lines["a"] == {2, 3}
    assert lines["b"] == {2, 4}


def test_what_runs_at_the_very_end_is_left_alone(script: Script) -> None:
    """What the application runs while the interpreter clears its modules disturbs nobody, even within a request."""
    script.run("""
        class Last:
            def __del__(self, run=main.loop, items=(None,)):
                run(self, None)
            def get(self):
                return None
        threading.kept = Last()  # a module that outlives ours
        waits = request("a")
        waits.__enter__()
        main.first("a")
    """)


def test_what_is_wrapped_looks_as_before(script: Script) -> None:
    """Signatures stay, coroutine functions stay ones, and classes can be pickled."""
    script.run("""
        def all_of_it():
            calls = (threading.Thread.start, ThreadPoolExecutor.submit, Future.add_done_callback, queue.Queue.get,
                     asyncio.Queue.get, asyncio.Queue.get_nowait)
            return calls, [(inspect.signature(each), inspect.iscoroutinefunction(each)) for each in calls]
        calls, before = all_of_it()
        with request("a"):
            pass
        calls_now, now = all_of_it()
        assert before == now
        assert not any(one is other for one, other in zip(calls, calls_now))
        assert pickle.loads(pickle.dumps(queue.Queue)) is queue.Queue
    """)


def test_nothing_is_wrapped_before_a_test_is_heard_of(script: Script) -> None:
    """A process that serves no test is left as it is."""
    script.run("""
        before = threading.Thread.start, queue.Queue.get, ThreadPoolExecutor.submit
        with request(""):
            assert (threading.Thread.start, queue.Queue.get, ThreadPoolExecutor.submit) == before
        tools = getattr(sys, "monitoring", None)
        assert tools is None or "vmpilot-cov" not in [tools.get_tool(each) for each in range(6)]
    """)


def test_a_priority_queue_keeps_its_order_and_lends_nothing(script: Script) -> None:
    """A queue that gives items out in another order than they came names nobody for them."""
    script.run("""
        items, seen = queue.PriorityQueue(), []
        with request("a"):
            items.put(2)
        with request("b"):
            items.put(1)
        assert (items.get(), TEST.get(), items.get(), TEST.get()) == (1, "", 2, "")
    """)


def test_a_reset_makes_every_line_new_for_a_test(script: Script) -> None:
    """What a test runs before and after a reset is recorded in both epochs."""
    script.run("""
        with request("a"):
            main.first("a")
            recorder.reset()
            main.first("a")
    """)
    (folder,) = working_folder.process_folders(script.folder)
    parts = [part for _, read in segment.read_folder(folder) if isinstance(read, list) for part in read]
    ran = {bool(part.epoch): part.files for part in parts if part.label.context == "a"}
    assert [set(map(segment.to_lines, ran[after].values())) for after in (False, True)] == [{0b1100}, {0b1100}]


def test_segments_that_were_deleted_are_written_again_for_each_test(script: Script) -> None:
    """If somebody erases the segments of a live process, the lines of its tests are written once more, too."""
    lines = script.run("""
        import shutil
        with request("a"):
            main.first("a")
        recorder.flush()
        shutil.rmtree(recorder.presence.folder)
    """)
    assert lines["a"] == {2, 3}
    assert lines[""] >= {2, 3}


def test_a_forked_child_works_for_nobody_until_it_is_asked(script: Script) -> None:
    """Nothing that the parent has armed is the child's; a request to the child is its test's."""
    lines = script.run("""
        with request("a"):
            main.first("a")
        child = os.fork()
        if not child:
            main.first("b")
            with request("b"):
                main.first("b")
            sys.exit()
        os.waitpid(child, 0)
    """)
    assert lines["a"] == {2, 3}
    assert lines["b"] == {2, 4}
    assert lines[""] >= {2, 3, 4}


def test_a_kill_loses_no_total_that_was_cut(script: Script) -> None:
    """What a test has run is in the totals and in its own lines at the next cut, also if the process is killed then."""
    with pytest.raises(AssertionError, match="-9"):
        script.run("""
            with request("a"):
                main.first("a")
                recorder.flush()
                os.kill(os.getpid(), 9)
        """)
    lines = script.lines()
    assert lines["a"] == {2, 3}
    assert lines[""] >= {2, 3}


def test_a_source_that_is_loaded_again_begins_anew_for_a_test(script: Script) -> None:
    """Lines of the new content are not taken for those that the test has run of the old one."""
    script.run("""
        import importlib
        with request("a"):
            main.first("a")
            path = Path("app/main.py")
            path.write_text("# changed\\n" + path.read_text())
            importlib.reload(main)
            main.first("a")
    """)
    (folder,) = working_folder.process_folders(script.folder)
    parts = [part for _, read in segment.read_folder(folder) if isinstance(read, list) for part in read]
    ran: dict[str, set[int]] = {}
    for part in parts:
        for source, measured in part.files.items():
            if part.label.context == "a":
                ran.setdefault(source.fingerprint, set()).update(segment.line_numbers(segment.to_lines(measured)))
    old, new = ran.values()
    assert old == {2, 3}
    assert {3, 4} <= new
