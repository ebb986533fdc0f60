"""Runs on the workers of a Dask scheduler: tasks in, outcomes out, as from the processes of one machine.

Only the process that started the batch writes its run folder. Workers send values back and need nothing of it;
they must have the same model and the same versions of packages, and compute on one thread as local ones do, so
that a batch leaves the same bytes wherever its runs are lived. A scheduler that is lost ends the batch, which can
be resumed here or at another address.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from distributed import Client, Future, KilledWorker, WorkerPlugin

from experiments.plan import Task
from experiments.workers import THREADS, Work, attempt
from model.errors import InputError
from results.ledger import Outcome
from results.provenance import model_fingerprint, versions

CONNECT = "10s"
AHEAD = 2  # tasks a worker: one that it does, one that waits for it
LOOK = 2.0  # seconds after which workers are counted again
DIED = "Every worker process that lived this run died (killed, or out of memory).\n"

_one_at_a_time = threading.Lock()


@contextmanager
def workers_of(address: str) -> Iterator[Client]:
    """A connection to the scheduler at an address, or in the file that tells it, with every worker looked over.

    Raises InputError where no scheduler answers or a worker has another model or other versions.
    """
    for name in [n for n in logging.root.manager.loggerDict if n.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is lost is said once, at the end
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**where, timeout=CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        expected = "the address of a Dask scheduler that runs, e.g. tcp://10.0.0.5:8786, or its scheduler file"
        raise InputError("--cluster", f"{address} ({said})", expected) from None
    try:
        _look_over(client)
        yield client
    finally:
        with suppress(Exception):  # a scheduler that is gone cannot be taken leave of
            client.close(timeout=2)  # type: ignore[no-untyped-call]


def look_over(address: str) -> int:
    """How many workers a scheduler has. Raises InputError where it does not answer or a worker does not serve."""
    with workers_of(address) as client:
        return _count(client)


def _look_over(client: Client) -> None:
    same = SameVersions(versions(), model_fingerprint())
    try:
        client.register_plugin(same)
    except RuntimeError as error:
        raise InputError("--cluster", str(error), "workers with the environment of this process") from None


class SameVersions(WorkerPlugin):
    """Refuses a worker, also one that joins later, that would not leave the same bytes."""

    name = "junheng"
    idempotent = False

    def __init__(self, expected: dict[str, str], model: str) -> None:
        self.expected, self.model = expected, model

    def setup(self, worker: Any) -> None:
        """Raises RuntimeError naming the worker and what differs."""
        if difference := self.difference():
            raise RuntimeError(f"worker {worker.address} with {difference}")

    def difference(self) -> str:
        """What of this process is not as in the process that asks; empty where all is."""
        found = versions()
        for name in dict.fromkeys([*self.expected, *found]):
            if self.expected.get(name) != found.get(name):
                return f"{name} {found.get(name, '(none)')} instead of {self.expected.get(name, '(none)')}"
        if model_fingerprint() != self.model:
            return f"another model ({model_fingerprint()})"
        threads = {name: os.environ.get(name) for name in THREADS}
        if set(threads.values()) != {"1"}:
            return (
                "linear algebra on several threads (start it with a nanny, or with "
                + " ".join(f"{name}=1" for name in THREADS)
                + ")"
            )
        return ""


def lived_on(client: Client, address: str, tasks: Iterable[Task], work: Work) -> Generator[list[Outcome], None, None]:
    """Do the tasks on a cluster's workers, and hand out what became of each as soon as it is settled.

    A task whose worker dies is tried again by the scheduler on another. One that the scheduler gives up after
    several deaths is tried once more with nothing beside it, and fails if its worker dies again. Raises
    ConnectionError where the scheduler is lost.
    """
    waiting, suspects, suspected = iter(tasks), deque[Task](), set[str]()
    flying: dict[Future[Any], Task] = {}
    settled: SimpleQueue[Future[Any]] = SimpleQueue()

    def send(task: Task) -> None:
        future = client.submit(attempt_alone, work, task, pure=False)
        flying[future] = task
        future.add_done_callback(settled.put)  # type: ignore[no-untyped-call]

    try:
        while True:
            while len(flying) < AHEAD * max(1, _count(client)) and (task := next(waiting, None)) is not None:
                send(task)
            if not flying and suspects:
                send(suspects.popleft())
            if not flying:
                return
            with suppress(Empty):  # there may be room for more by now
                future = settled.get(timeout=LOOK)
                task = flying.pop(future)
                outcome = _outcome(future, task)
                if outcome is None and task.run.id not in suspected:
                    suspected.add(task.run.id)
                    suspects.append(task)
                else:
                    yield [outcome or Outcome(task.run.id, 0.0, traceback=DIED, attempts=2)]
    except (CancelledError, OSError) as error:
        raise ConnectionError(f"the scheduler at {address} is lost") from error
    finally:
        with suppress(Exception):
            client.cancel(list(flying), force=True)  # type: ignore[no-untyped-call]


def _outcome(future: Future[Any], task: Task) -> Outcome | None:
    """What became of a task; None where the workers that did it died. Raises CancelledError, OSError."""
    try:
        outcome: Outcome = future.result()  # of one that is done; or again, where its values died with the worker
        return outcome
    except KilledWorker:
        return None
    except (CancelledError, OSError):
        raise
    except Exception as error:  # not of the run, which answers for itself: the worker could not even begin it
        return Outcome(task.run.id, 0.0, traceback="".join(traceback.format_exception(error)))


def attempt_alone(work: Work, task: Task) -> Outcome:
    """Do one task in a worker, whatever the number of its threads: a run has its process for itself."""
    with _one_at_a_time:
        return attempt(work, task)


def _count(client: Client) -> int:
    return len(client.scheduler_info(n_workers=-1).get("workers", ()))  # none told by a scheduler that is going
