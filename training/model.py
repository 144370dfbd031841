"""The decoder of the reference (arXiv 2401.02954, section 2.2): LLaMA's, with RMSNorm, SwiGLU, RoPE, MHA or GQA.

Shapes in the comments: B sequences, T tokens, d width, H query heads, K key-value heads, h head size, V vocabulary.
Query, key and value come out of one matrix, gate and up out of another: fewer, larger products, and what a fused
kernel wants to see. Attention inside documents lives in ``documents.py``, what generation keeps in ``cache.py``,
layouts of other libraries in ``huggingface.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from training.cache import KeyValueCache, LayerCache
from training.config import ModelConfig
from training.documents import Packing, Within, attend


class Decoder(nn.Module):
    """Tokens to logits, or to the loss when targets are given."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, config: ModelConfig, recompute: int = 0):
        super().__init__()
        if config.vocabulary is None:
            raise ValueError("model.vocabulary: not settled; take the shards' vocabulary")
        self.config, self.recompute = config, recompute
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, config.norm_eps)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        cosine, sine = rotary_table(config.context, config.head_size, config.rope_theta)
        self.register_buffer("cosine", cosine, persistent=False)  # float32 [context, h], whatever the weights are
        self.register_buffer("sine", sine, persistent=False)

    def initial_weights(self, seed: int) -> Iterator[tuple[str, Tensor]]:
        """Every parameter's first value by name, float32 on the CPU: N(0, init_std²), ones for norms; one at a time."""
        for i, (name, weight) in enumerate(sorted(self.named_parameters())):
            generator = torch.Generator().manual_seed(seed * 1_000_003 + i)
            if "norm" in name:
                yield name, torch.ones(weight.shape)
            else:
                yield name, torch.empty(weight.shape).normal_(0.0, self.config.init_std, generator=generator)

    @torch.no_grad()
    def initialize(self, seed: int) -> Decoder:
        """Sets the first values; the same on any device."""
        parameters = dict(self.named_parameters())
        for name, value in self.initial_weights(seed):
            parameters[name].copy_(value)
        return self

    def forward(
        self,
        tokens: Tensor,  # int64 [B, T]
        targets: Tensor | None = None,  # int64 [B, T]: return the loss instead of logits
        documents: Packing | None = None,  # attend only within each document, positions restart at each
        cache: KeyValueCache | None = None,  # of the tokens before these; extended in place
        reduction: str = "mean",  # of the loss: "mean" a scalar, "none" [B, T]
    ) -> Tensor:
        """Logits float32 [B, T, V]; or the cross-entropy in nats, float32, when ``targets`` are given."""
        seen = cache.length if cache else 0
        if seen + tokens.shape[1] > self.config.context:
            raise ValueError(f"{seen + tokens.shape[1]} tokens are more than model.context = {self.config.context}")
        positions = slice(seen, seen + tokens.shape[1]) if documents is None else documents.positions
        cosine, sine = (table[positions].unsqueeze(-2) for table in (self.cosine, self.sine))  # [T or B, T, 1, h]
        within: Within = causal_mask(tokens.shape[1], seen, tokens.device) if seen else documents
        x = self.embedding(tokens)  # [B, T, d]
        for i, block in enumerate(self.blocks):
            past = cache.layers[i] if cache else None
            if self.recompute and i % self.recompute == 0 and torch.is_grad_enabled():
                x = checkpoint(block, x, cosine, sine, within, past, use_reentrant=False)
            else:
                x = block(x, cosine, sine, within, past)
        logits = self.head(self.norm(x)).float()  # [B, T, V]
        if targets is None:
            return logits
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)
        return loss if reduction == "mean" else loss.view_as(targets)


def model_without_weights(config: ModelConfig, recompute: int = 0) -> Decoder:
    """A decoder whose weights are shapes only, on the meta device, for somebody else to place."""
    with torch.device("meta"):
        model = Decoder(config, recompute)
    model.cosine, model.sine = rotary_table(config.context, config.head_size, config.rope_theta)
    return model


def empty_model(config: ModelConfig, recompute: int = 0) -> Decoder:
    """A decoder on the CPU whose weights are not set yet, without the time that torch's own first values take."""
    model = model_without_weights(config, recompute)
    tables = model.cosine, model.sine
    model = model.to_empty(device="cpu")
    model.cosine, model.sine = tables
    return model


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, config.norm_eps)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.RMSNorm(config.width, config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, within: Within, past: LayerCache | None) -> Tensor:
        """[B, T, d] to [B, T, d]."""
        x = x + self.attention(self.attention_norm(x), cosine, sine, within, past)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Attention(nn.Module):
    """Causal attention with rotary positions; key-value heads are shared by groups of query heads."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.heads, self.kv_heads, self.head_size = config.heads, config.kv_heads, config.head_size
        self.qkv = nn.Linear(config.width, (config.heads + 2 * config.kv_heads) * config.head_size, bias=False)
        self.output = nn.Linear(config.heads * config.head_size, config.width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, within: Within, past: LayerCache | None) -> Tensor:
        """[B, T, d] to [B, T, d]."""
        packed = self.qkv(x).unflatten(-1, (-1, self.head_size))  # [B, T, H + 2K, h]
        rotated, v = packed.split([self.heads + self.kv_heads, self.kv_heads], dim=2)
        q, k = rotate(rotated, cosine, sine).split([self.heads, self.kv_heads], dim=2)  # [B, T, H, h], [B, T, K, h]
        if past is not None:
            k, v = past.extend(k, v)  # [B, seen + T, K, h]
        return self.output(attend(q, k, v, within).flatten(2))  # [B, T, H·h] to [B, T, d]


class FeedForward(nn.Module):
    """SwiGLU (arXiv 2002.05202): down(silu(gate(x)) · up(x))."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate_up = nn.Linear(config.width, 2 * config.feed_forward, bias=False)
        self.down = nn.Linear(config.feed_forward, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, d] to [B, T, d]."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)  # [B, T, feed_forward] each
        return self.down(F.silu(gate) * up)


def rotary_table(context: int, head_size: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position's angles, float32 [context, h]; dimension i is paired with i + h/2."""
    frequencies = 1.0 / theta ** (torch.arange(0, head_size, 2, dtype=torch.float32) / head_size)
    angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding (arXiv 2104.09864) of [B, T, heads, h], computed in float32."""
    low, high = x.chunk(2, dim=-1)
    return (x * cosine + torch.cat((-high, low), dim=-1) * sine).to(x.dtype)


def causal_mask(length: int, seen: int, device: torch.device) -> Tensor:
    """True where attention is allowed for ``length`` tokens after ``seen`` others, bool [T, seen + T]."""
    return torch.ones(length, seen + length, dtype=torch.bool, device=device).tril(seen)
