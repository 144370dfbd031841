"""What the trainer's tests share: shards, one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made_shards import counting_documents, write_shards


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def make_shards() -> Callable[..., Path]:
    """``write_shards``."""
    return write_shards


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two training files and a validation file, two sources, vocabulary 64."""
    rng = np.random.default_rng(3)
    return write_shards(
        tmp_path / "shards",
        {
            "train": [counting_documents(rng, 150, 64, "web") + counting_documents(rng, 50, 64, "books") for _ in "ab"],
            "validation": [counting_documents(rng, 20, 64, "web") + counting_documents(rng, 10, 64, "books")],
        },
    )
