"""Verbs of two words: a stage is a verb by itself, `gristmill dedup corpus.yaml`, and can have verbs of its own below
it, `gristmill dedup report`.

A verb below a stage is registered by both its words, so help lists it, and it needs no argument to be told apart from
the stage's own.
"""

from __future__ import annotations

import difflib
import os
from typing import Any

from typer.core import TyperGroup

from pipeline.errors import ConfigError


class Verbs(TyperGroup):
    """A group that takes the first two words for a verb where they are one, else the first."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The verb's name, the verb, and what is left of the line.

        Raises:
            ConfigError: the second word is no file, and nearly a verb below the first.
        """
        both = " ".join(args[:2])
        if len(args) > 1 and both in self.commands:
            return both, self.commands[both], args[2:]
        if len(args) > 1 and not os.path.exists(args[1]):  # a slip of the fingers, not a file
            below = [name for name in self.commands if name.startswith(f"{args[0]} ")]
            for near in difflib.get_close_matches(both, below, 1, 0.8):
                raise ConfigError(f"there is no `{both}`; did you mean `{near}`?")
        return super().resolve_command(ctx, args)
