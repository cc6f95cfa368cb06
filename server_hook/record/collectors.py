"""Coverage.py's stack of collectors: the private side of it that ``others`` needs.

Why at all: of two Coverages in one process the one that started last measures, and no public call says that one has
started, or lets the one below stop first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from coverage import Coverage
from coverage.collector import Collector

from server_hook.coverage_private import UnsupportedError


def stop(cov: Coverage) -> None:
    """Stop a Coverage, also one on top of which another has started: coverage.py itself refuses that.

    The one on top goes on; when it stops, nothing is there that could be resumed.
    """
    stack = Collector._collectors
    if cov._collector not in stack or stack[-1] is cov._collector:
        cov.stop()
        return
    stack.remove(cov._collector)  # the one on top would resume it when it stops
    Coverage._instances.remove(cov)
    cov._started = False  # or coverage.py would stop it once more at the process's end


def belongs_to(collector: Collector, cov: Coverage) -> bool:
    """Tell whether a collector is that of this Coverage."""
    return collector is cov._collector


def is_on_top(cov: Coverage) -> bool:
    """Tell whether a Coverage measures now, and no other one in its place."""
    return bool(Collector._collectors) and Collector._collectors[-1] is cov._collector


def watch_starts(act: Callable[[Collector], object]) -> None:
    """Act each time any Coverage of this process has started; call it once a process."""
    start = Collector.start

    @wraps(start)
    def start_and_act(collector: Collector) -> None:
        start(collector)
        act(collector)

    setattr(Collector, "start", start_and_act)  # noqa: B010 - a type checker does not allow it otherwise


def watch_collector(
    collector: Collector,
    before_flush: Callable[[], object],
    before_stop: Callable[[], object],
    after_stop: Callable[[], object],
) -> None:
    """Act before a collector moves what it has measured out of its live sets, and around its stop, which ends this."""
    flush, end = collector.flush_data, collector.stop

    def act_and_flush() -> bool:
        before_flush()
        return flush()

    def act_and_stop() -> None:
        before_stop()
        unwatch_collector(collector)
        end()
        after_stop()

    # on the instance, over the methods of the class: unwatch_collector only has to take them away
    vars(collector).update(flush_data=act_and_flush, stop=act_and_stop)


def unwatch_collector(collector: Collector) -> None:
    """Put a collector back as it was."""
    for name in ("flush_data", "stop"):
        vars(collector).pop(name, None)


def coverage_of(collector: Collector) -> Coverage:
    """Return the Coverage that a collector belongs to.

    Raises:
        UnsupportedError: when this coverage.py does not tell.
    """
    cov = getattr(collector.should_trace, "__self__", None)  # a method of that Coverage; no attribute leads to it
    if not isinstance(cov, Coverage):
        raise UnsupportedError("this coverage.py does not say whose collector it is")
    return cov
