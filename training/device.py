"""Where and in which type a run computes, and what to say when the machine has not got it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.errors import TrainingError

_NO_MEMORY = ("not enough memory", "DefaultCPUAllocator", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def choose_device(name: str, local: int = 0) -> torch.device:
    """The device of "auto", "cpu" or "cuda" for the process with this number on its machine.

    Raises TrainingError at another name, and when a GPU is demanded and there is none, or fewer than processes.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise TrainingError(f"device: {name} is none of auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "no CUDA device is visible"
        raise TrainingError(f"device: cuda is demanded, but {reason}; set device: cpu, or auto to take what there is")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if local >= torch.cuda.device_count():
        raise TrainingError(
            f"device: process {local} of this machine (LOCAL_RANK) has no GPU of its own, there are "
            f"{torch.cuda.device_count()}; start torchrun with --nproc-per-node {torch.cuda.device_count()}"
        )
    return torch.device("cuda", local)


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type of the forward and backward pass: "auto" is bfloat16 on a GPU and float32 on a CPU."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32


@contextmanager
def explained_memory_errors(advice: str) -> Iterator[None]:
    """Turns an out-of-memory error of either device into a TrainingError with advice."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(f"out of GPU memory: {advice}") from error
    except RuntimeError as error:  # of the CPU, and of the driver, cuBLAS and NCCL, which do not ask torch for memory
        if any(sign in str(error) for sign in _NO_MEMORY):
            raise TrainingError(f"out of memory: {advice}") from error
        raise
    except MemoryError as error:
        raise TrainingError(f"out of memory: {advice}") from error
