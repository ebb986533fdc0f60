"""Worker processes: each with pipes of its own, so that one that dies costs only the run it was living.

(An executor of the standard library does not outlive the death of a worker, and one for each worker costs a run a
millisecond in threads that wake each other.)

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
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from types import ModuleType
from typing import Any

from experiments.memory import keep_freed_memory
from experiments.plan import Task
from results.ledger import Outcome

TRIES = 3  # of a run under which workers die
STILLBORN = 20  # workers one after the other that die before they begin a run: it is not the runs
AHEAD, MOST_AHEAD = 0.3, 30  # seconds of work, and runs, that a worker has before it beside the one it does
TOGETHER = 0.05  # seconds
ROOM = 1 << 20  # bytes of a pipe: the most that Linux grants anybody
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
    with closing(lived_together(tasks, work, workers)) as bunches:
        for outcomes in bunches:
            yield from outcomes


def lived_together(tasks: Iterable[Task], work: Work, workers: int) -> Generator[list[Outcome], None, None]:
    """As `lived`, but hands out together what was settled at about the same time: within TOGETHER seconds."""
    if workers == 0:
        return ([attempt(work, task)] for task in tasks)
    return _in_processes(iter(tasks), work, workers)


def attempt(work: Work, task: Task) -> Outcome:
    """Do one task; an exception becomes a failed outcome with its traceback."""
    begun = time.perf_counter()
    try:
        tables = work(task)
    except Exception:
        return Outcome(task.run.id, time.perf_counter() - begun, traceback=traceback.format_exc())
    return Outcome(task.run.id, time.perf_counter() - begun, tables)


def _in_processes(tasks: Iterator[Task], work: Work, workers: int) -> Generator[list[Outcome], None, None]:
    waiting, deaths = _Waiting(tasks), Counter[str]()
    lanes = [Lane(work) for _ in range(workers)]
    try:
        while True:
            for lane in lanes:
                lane.fill(waiting, len(lanes))
            at_work = {lane.outcomes: lane for lane in lanes if lane.queue}
            if not at_work:
                return
            wait(list(at_work))
            if all(lane.has_enough() for lane in at_work.values()):
                time.sleep(TOGETHER)
            yield [outcome for end in wait(list(at_work), 0) for outcome in at_work[end].settled(waiting, deaths)]
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

    def again(self, tasks: Sequence[Task]) -> None:
        self.held.extendleft(reversed(tasks))


class Lane:
    """One worker process and the tasks it was handed: the first is being done, others wait behind it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.queue = deque[Task]()
        self.process: BaseProcess | None = None
        self.orders: Any = None  # the end of a pipe that tasks go into; the process leaves when it is closed
        self.outcomes: Any = None  # the end of a pipe that outcomes come out of; it ends when the process dies
        self.begun: Any = None  # how many tasks the process has begun, which it counts itself
        self.ended = 0  # how many it has handed back
        self.told = dict[bytes, int]()  # what tasks share that the process was sent, numbered
        self.stillborn = 0  # processes before it that began none
        self.seconds = float("inf")  # that its latest run took
        self.roomy = False  # whether many outcomes have room in their pipe

    def fill(self, waiting: _Waiting, lanes: int) -> None:
        """Hand out tasks: one, and others ahead so that the worker need not wait for them while there are many."""
        many = 1 + min(MOST_AHEAD, max(1, round(AHEAD / max(self.seconds, 1e-4))))
        wanted = many if waiting.at_least(lanes * (many - 1)) else 1
        while len(self.queue) < wanted and (task := waiting.next()) is not None:
            if self.process is None:
                self.start()
            self.queue.append(task)
            with suppress(OSError):  # it died: its outcomes will have come to an end
                self._send(task)

    def _send(self, task: Task) -> None:
        """Send a task; what it shares with others only once, so that a pipe has room for many."""
        known = task.packed in self.told
        number = self.told.setdefault(task.packed, len(self.told))
        self.orders.send((number, replace(task, packed=b"" if known else task.packed)))

    def start(self) -> None:
        """A new process. Raises ChildProcessError where those before it did not live to begin anything."""
        if self.stillborn >= STILLBORN:
            raise ChildProcessError(f"{STILLBORN} worker processes died as they started (killed, or out of memory)")
        spawn = multiprocessing.get_context("spawn")
        self.begun, self.ended = spawn.RawValue("q", 0), 0
        self.told.clear()
        orders, self.orders = spawn.Pipe(duplex=False)
        self.outcomes, outcomes = spawn.Pipe(duplex=False)
        self.process = spawn.Process(target=_serve, args=(self.work, orders, outcomes, self.begun), daemon=True)
        with _children_of_no_script(), orders, outcomes:  # its ends are its own
            self.process.start()
        self.roomy = _widened(self.outcomes)

    def has_enough(self) -> bool:
        """Whether it is at work for some time yet, and has room for what comes of it, without being looked after."""
        return self.roomy and (len(self.queue) - 1) * self.seconds > 2 * TOGETHER

    def settled(self, waiting: _Waiting, deaths: Counter[str]) -> Iterator[Outcome]:
        """What became of tasks by now. Where the process died, the one it was doing goes back, with those behind it."""
        while self.process is not None and self.outcomes.poll():
            try:
                outcome: Outcome = self.outcomes.recv()
            except (EOFError, OSError):
                yield from self._bury(waiting, deaths)
                return
            task = self.queue.popleft()
            self.ended, self.stillborn, self.seconds = self.ended + 1, 0, outcome.seconds
            yield replace(outcome, attempts=1 + deaths[task.run.id]) if deaths else outcome

    def _bury(self, waiting: _Waiting, deaths: Counter[str]) -> Iterator[Outcome]:
        begun = self.begun.value
        self.end()
        left, self.queue = list(self.queue), deque()
        if begun == self.ended:  # it died before it began its first task, or between two
            self.stillborn = 0 if begun else self.stillborn + 1
        else:
            self.stillborn = 0
            run = left[0].run.id
            deaths[run] += 1
            if deaths[run] >= TRIES:
                left = left[1:]
                text = f"The worker process died {TRIES} times during this run (killed, or out of memory).\n"
                yield Outcome(run, 0.0, traceback=text, attempts=TRIES)
        waiting.again(left)

    def end(self) -> None:
        """Let the worker go, at once, whether it is at work or not."""
        if self.process is not None:
            self.process.kill()
            self.orders.close()
            self.outcomes.close()
            self.process.join()
            self.process = None


def _widened(end: Any) -> bool:
    """Give a pipe room for many outcomes, where the system can."""
    try:
        import fcntl

        return fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, ROOM) >= ROOM
    except (ImportError, AttributeError, OSError):
        return False


def _serve(work: Work, orders: Any, outcomes: Any, begun: Any) -> None:
    """In a worker: do tasks as they come. Ctrl-C is the parent's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    tasks = SimpleQueue[Task]()
    threading.Thread(target=_take, args=(orders, tasks), daemon=True).start()
    with suppress(BrokenPipeError):  # the parent wants no more
        while True:
            task = tasks.get()
            begun.value += 1
            outcomes.send(attempt(work, task))


def _take(orders: Any, tasks: SimpleQueue[Task]) -> None:
    """Take tasks whatever the worker does, so that its parent need not wait; leave when they end, as when it dies."""
    shared = dict[int, bytes]()
    with suppress(EOFError, OSError):
        while True:
            number, task = orders.recv()
            tasks.put(replace(task, packed=shared.setdefault(number, task.packed)))
    os._exit(0)


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
