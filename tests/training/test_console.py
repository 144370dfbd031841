"""What a person sees of a run on a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from training import console

START: dict[str, Any] = {
    "steps": 250_000, "step": 0, "resumed": None, "ranks": 8, "parameters": 6_910_365_696, "tokens_per_step": 9_437_184,
    "non_embedding": 6_071_504_896, "dtype": "bfloat16", "device": "cuda:0", "epochs": 1.0,
}  # fmt: skip
STEP = {
    "step": 123_456, "loss": 2.34567, "gradient_norm": 0.43211, "learning_rate": 4.2e-4, "tokens_per_s": 1_234_567.8,
    "mfu": 0.412,
}  # fmt: skip


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, "step 123,456/250,000 loss 2.3457 norm 0.43 1,234,568 tokens/s MFU 41% -:--:--"),
        (160, "loss 2.3457  norm 0.4321  lr 4.20e-04  1,234,568 tokens/s  MFU 41.2% -:--:--"),
    ],
)
def test_the_line_of_a_large_run_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int, expected: str) -> None:
    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr(console, "errors", terminal)
    display = console.Display()
    display("start", START)
    display("step", STEP)
    terminal.print(display.progress.get_renderable())
    line = text.getvalue().splitlines()[-1]
    assert expected in line and "…" not in line
    display("step", STEP | {"gradient_norm": None, "loss": None, "mfu": None})
    terminal.print(display.progress.get_renderable())
    line = text.getvalue().splitlines()[-1]
    assert "loss —" in line and "norm —" in line and "MFU" not in line
