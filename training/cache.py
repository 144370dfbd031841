"""Keys and values of the tokens before, so that generation computes each token once."""

from __future__ import annotations

from torch import Tensor

from training.config import ModelConfig


class LayerCache:
    """Keys and values of one layer, [B, room, K, h] each, of which the first ``length`` of ``room`` are filled."""

    def __init__(self, keys: Tensor, values: Tensor):
        self.keys, self.values, self.length = keys, values, 0

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Appends [B, T, K, h] and returns everything so far, [B, length, K, h]."""
        stop = self.length + k.shape[1]
        self.keys[:, self.length : stop], self.values[:, self.length : stop] = k, v
        self.length = stop
        return self.keys[:, :stop], self.values[:, :stop]


class KeyValueCache:
    """One LayerCache a layer, for ``room`` tokens of ``batch`` sequences, in the type and on the device of ``like``."""

    def __init__(self, config: ModelConfig, like: Tensor, batch: int, room: int):
        shape = (batch, room, config.kv_heads, config.head_size)
        self.layers = [LayerCache(like.new_empty(shape), like.new_empty(shape)) for _ in range(config.layers)]

    @property
    def length(self) -> int:
        """Tokens seen so far."""
        return self.layers[0].length
