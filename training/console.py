"""What a person sees of a run: a live line on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

out, errors = Console(), Console(stderr=True)
_LOG_SECONDS = 10.0  # between lines where there is no terminal
_WIDE = 120  # columns of a terminal that hold the bar and all figures


class Display:
    """Shows a run: a live line on a terminal, a line every few seconds in a log."""

    def __init__(self) -> None:
        self.live = errors.is_terminal and first_rank()
        self.wide = not self.live or errors.width >= _WIDE
        self.progress = Progress(
            TextColumn("[bold]step {task.completed:,.0f}/{task.total:,.0f}[/]"), *([BarColumn()] if self.wide else []),
            TextColumn("{task.fields[figures]}"), TimeRemainingColumn(), console=errors, transient=True,
        )  # fmt: skip
        self.task: TaskID | None = None
        self.logged = 0.0

    def __enter__(self) -> Display:
        if self.live:
            self.progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.live:
            self.progress.stop()

    def __call__(self, event: str, facts: Mapping[str, Any]) -> None:
        if event == "start":
            self.total = facts["steps"]
            origin = f"resumed from {facts['resumed']}" if facts["resumed"] else "from the start"
            places = f"{facts['ranks']} × " if facts["ranks"] > 1 else ""
            self._say(
                f"{facts['parameters']:,} parameters ({facts['non_embedding']:,} without embeddings), "
                f"{facts['dtype']} on {places}{facts['device']}, {facts['tokens_per_step']:,} tokens a step, "
                f"{facts['steps']:,} steps, {facts['epochs']:.2f} epochs, {origin}"
            )
            self.task = self.progress.add_task("", total=facts["steps"], completed=facts["step"], figures="")
        elif event == "step":
            figures = _figures(facts, self.wide)
            if self.live and self.task is not None:
                self.progress.update(self.task, completed=facts["step"], figures=figures)
            elif time.monotonic() - self.logged > _LOG_SECONDS or facts["step"] in (1, self.total):
                self.logged = time.monotonic()
                self._say(f"step {facts['step']}/{self.total}  {figures}")
        elif event == "validation":
            bits = f", {facts['bits_per_byte']:.4f} bits/byte" if facts["bits_per_byte"] else ""
            self._say(f"step {facts['step']}  validation loss {facts['validation_loss']:.4f}{bits}")
        elif event == "checkpoint":
            self._say(f"step {facts['step']}  saved {facts['path']} ({facts['stall']:.2f} s of the run's time)")
        elif event == "warning":
            self._say(f"warning: {facts['message']}")
        elif event == "end" and facts["finished"]:
            self._say(
                f"finished {facts['step']:,} steps; here {facts['seconds']:,.0f} s, "
                f"loss {facts['first_loss']:.4f} → {facts['last_loss']:.4f}"
                if facts["last_loss"] == facts["last_loss"]
                else f"step {facts['step']:,}: the run was finished already"
            )
        elif event == "end":
            self._say(f"stopped at step {facts['step']}; the same command goes on from {facts['checkpoint']}")

    def _say(self, line: str) -> None:
        if self.live:
            self.progress.console.print(escaped(line), highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _figures(facts: Mapping[str, Any], wide: bool) -> str:
    """A step's figures; where it is narrow those that fit 80 columns beside the step and the time that remains."""
    formats = {
        "loss": "loss {:.4f}", "gradient_norm": "norm {:.4f}" if wide else "norm {:.2f}", "learning_rate": "lr {:.2e}",
        "tokens_per_s": "{:,.0f} tokens/s", "mfu": "MFU {:.1%}" if wide else "MFU {:.0%}",
    }  # fmt: skip
    if not wide:
        del formats["learning_rate"]
    if facts["mfu"] is None:
        del formats["mfu"]
    parts = (
        text.format(facts[key]) if facts[key] is not None else f"{text.split()[0]} —" for key, text in formats.items()
    )
    return ("  " if wide else " ").join(parts)


def first_rank() -> bool:
    """Whether this process is the one of torchrun's that speaks."""
    return os.environ.get("RANK", "0") == "0"


def escaped(text: str) -> str:
    """Text in which Rich finds no markup."""
    return text.replace("[", "\\[")
