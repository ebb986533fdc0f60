"""Worker processes: each an executor of its own, so that one that dies costs only the run it was living.

`lived` is all that a batch knows of them: tasks in, outcomes out, in the order they are settled. Workers are
always spawned, are sent data only, and import what they do by its dotted path, never the script that started
them. They leave when their parent dies.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from experiments.memory import keep_freed_memory
from experiments.plan import Task
from results.ledger import Outcome

TRIES = 3  # of a run under which workers die
STILLBORN = 20  # workers one after the other that die before they begin a run: it is not the runs
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


Work = Callable[[Task], Mapping[str, bytes]]  # a task's packed tables by name; importable by its name


def lived(tasks: Iterable[Task], work: Work, workers: int) -> Generator[Outcome, None, None]:
    """Do the tasks, and hand out what became of each as soon as it is settled.

    Every worker is a process that computes on one thread, a single one too: sums of long vectors depend on the
    threads of the linear algebra library, and tables must not. `workers` 0 works in this process (for a
    debugger). A task under which workers die is tried again, and fails after three tries; a worker that dies
    before it began its task costs nothing. Closing the generator early ends the workers. Raises ChildProcessError
    where workers do not live to begin anything.
    """
    if workers == 0:
        return (attempt(work, task) for task in tasks)
    return _in_processes(iter(tasks), work, workers)


def attempt(work: Work, task: Task) -> Outcome:
    """Do one task; an exception becomes a failed outcome with its traceback."""
    begun = time.perf_counter()
    try:
        tables = work(task)
    except Exception:
        return Outcome(task.run.id, time.perf_counter() - begun, traceback=traceback.format_exc())
    return Outcome(task.run.id, time.perf_counter() - begun, tables)


def _in_processes(tasks: Iterator[Task], work: Work, workers: int) -> Generator[Outcome, None, None]:
    waiting, deaths = _Waiting(tasks), Counter[str]()
    lanes = [_Lane(work) for _ in range(workers)]
    try:
        while True:
            for lane in lanes:
                lane.fill(waiting, ahead=waiting.at_least(len(lanes)))
            futures = [future for lane in lanes for _, future in lane.queue]
            if not futures:
                return
            wait(futures, return_when=FIRST_COMPLETED)
            for lane in lanes:
                yield from lane.settled(waiting, deaths)
    finally:
        for lane in lanes:
            lane.end()


class _Waiting:
    """Tasks not yet handed out; those to be tried again come first."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self.tasks, self.held = tasks, deque[Task]()

    def at_least(self, n: int) -> bool:
        while len(self.held) < n and (task := next(self.tasks, None)) is not None:
            self.held.append(task)
        return len(self.held) >= n

    def next(self) -> Task | None:
        return self.held.popleft() if self.at_least(1) else None

    def again(self, task: Task) -> None:
        self.held.appendleft(task)


class _Lane:
    """One worker process and the tasks it was handed: the first is being done, a second may wait behind it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.queue: deque[tuple[Task, Future[Outcome]]] = deque()
        self.executor: ProcessPoolExecutor | None = None
        self.process: BaseProcess | None = None
        self.begun: Any = None  # how many tasks the process has begun, which it counts itself
        self.ended = 0  # how many it has handed back
        self.stillborn = 0  # processes before it that began none

    def fill(self, waiting: _Waiting, ahead: bool) -> None:
        """Hand out tasks: one, and another `ahead` so that the worker need not wait for it."""
        while len(self.queue) < (2 if ahead else 1) and (task := waiting.next()) is not None:
            try:
                self.queue.append((task, self._submit(task)))
            except BrokenExecutor:  # it died idle, or its death is not noticed by the queue yet
                waiting.again(task)
                if self.queue:
                    return
                self.executor = None

    def _submit(self, task: Task) -> Future[Outcome]:
        if self.executor is not None:
            return self.executor.submit(_counted, self.work, task)
        spawn = multiprocessing.get_context("spawn")
        self.begun, self.ended = spawn.RawValue("q", 0), 0
        self.executor = ProcessPoolExecutor(1, spawn, initializer=_begin, initargs=(self.begun,))
        before = set(multiprocessing.active_children())
        with _children_of_no_script():
            future = self.executor.submit(_counted, self.work, task)
        self.process = next(iter(set(multiprocessing.active_children()) - before), None)
        return future

    def settled(self, waiting: _Waiting, deaths: Counter[str]) -> Iterator[Outcome]:
        """Outcomes of the tasks that are done. Where the process died, its first task is the one it was doing."""
        while self.queue and self.queue[0][1].done():
            task, future = self.queue.popleft()
            try:
                outcome = future.result()
            except BrokenExecutor:
                self.executor = None
                for other, _ in reversed(self.queue):
                    waiting.again(other)
                self.queue.clear()
                if self.begun.value == self.ended:  # it died before it began this task, or between two
                    waiting.again(task)
                    self._count_stillborn()
                    return
                self.stillborn = 0
                deaths[task.run.id] += 1
                if deaths[task.run.id] >= TRIES:
                    text = f"The worker process died {TRIES} times during this run (killed, or out of memory).\n"
                    yield Outcome(task.run.id, 0.0, traceback=text, attempts=TRIES)
                else:
                    waiting.again(task)
                return
            self.ended, self.stillborn = self.ended + 1, 0
            died = deaths[task.run.id]
            yield Outcome(outcome.id, outcome.seconds, outcome.tables, outcome.traceback, 1 + died)

    def _count_stillborn(self) -> None:
        self.stillborn = 0 if self.begun.value else self.stillborn + 1
        if self.stillborn >= STILLBORN:
            raise ChildProcessError(f"{STILLBORN} worker processes died as they started (killed, or out of memory)")

    def end(self) -> None:
        """Let the worker go; at once where it is still at work."""
        if self.executor is None:
            return
        if self.queue and self.process is not None:
            self.process.terminate()
        self.executor.shutdown(wait=not self.queue, cancel_futures=True)


_begun: Any = None  # in a worker: where it counts the tasks that it begins


def _counted(work: Work, task: Task) -> Outcome:
    """In a worker: do one task, so that its parent can tell whether it was begun."""
    _begun.value += 1
    return attempt(work, task)


def _begin(begun: Any) -> None:
    """In a new worker: Ctrl-C is the parent's affair, and a dead parent is the end."""
    global _begun
    _begun = begun
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _children_of_no_script() -> Iterator[None]:
    """Start processes that compute on one thread and do not import the running script.

    Spawned processes import the parent's main module first, which is dear (a command line), impossible (a
    notebook), or starts everything again (a script without the guard).
    """
    script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        sys.modules["__main__"] = script
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
