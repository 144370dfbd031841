"""Several ranks of a run on this machine: processes that meet on a free port of the loopback, bounded in time."""

from __future__ import annotations

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

_SECONDS = 120


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def on_ranks(world: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Runs ``function(*arguments)`` as torchrun would start it, in ``world`` processes; their results by rank.

    Raises AssertionError with the traceback of a rank that fails, and when one takes too long. The function must be one
    that a new process can import.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "training.trainer"])
    port, ends, processes = free_port(), [], []
    for rank in range(world):
        mine, theirs = context.Pipe()
        environment = {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }  # fmt: skip
        process = context.Process(target=_work, args=(environment, theirs, function, arguments), daemon=True)
        process.start()
        theirs.close()
        ends.append(mine)
        processes.append(process)
    try:
        results = []
        for rank, end in enumerate(ends):
            assert end.poll(_SECONDS), f"rank {rank} did not answer in {_SECONDS} s"
            try:
                results.append(end.recv())
            except EOFError:
                results.append((False, "ended without a word"))
        failures = [f"rank {rank}: {text}" for rank, (passed, text) in enumerate(results) if not passed]
        assert not failures, "\n".join(failures)
        return [result for _, result in results]
    finally:
        for process in processes:
            process.join(5)
            process.kill()


def _work(environment: dict[str, str], end: Connection, function: Callable[..., Any], arguments: tuple) -> None:
    import torch

    os.environ.update(environment)
    torch.set_num_threads(1)
    try:
        end.send((True, function(*arguments)))
    except BaseException:
        end.send((False, traceback.format_exc()))
    end.close()
