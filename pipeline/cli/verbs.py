"""Verbs of two words: a stage is a verb by itself, `gristmill dedup corpus.yaml`, and can have verbs of its own below
it, `gristmill dedup report`.

A verb below a stage is registered by both its words, so help lists it, and it needs no argument to be told apart from
the stage's own.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class Verbs(TyperGroup):
    """A group that takes the first two words for a verb where they are one, else the first."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The verb's name, the verb, and what is left of the line."""
        both = " ".join(args[:2])
        if len(args) > 1 and both in self.commands:
            return both, self.commands[both], args[2:]
        return super().resolve_command(ctx, args)
