"""What the trainer refuses, in words: each message names the key or file, the value and the remedy."""

from __future__ import annotations


class TrainingError(ValueError):
    """A run that cannot start or go on: wrong shards, no such device, not enough memory, a damaged checkpoint."""

    rank: int | None = None  # of several processes the one that is to say it


class ConfigError(TrainingError):
    """A training configuration that cannot be right: an unknown key, an impossible value, a changed key."""
