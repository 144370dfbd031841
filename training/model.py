"""The decoder of the reference (arXiv 2401.02954, section 2.2): LLaMA's, with RMSNorm, SwiGLU, RoPE, MHA or GQA.

Shapes in the comments: B sequences, T tokens, d width, H query heads, K key-value heads, h head size, V vocabulary.
Query, key and value come out of one matrix, gate and up out of another: fewer, larger products, and what a fused
kernel wants to see. Everything about layouts of other libraries lives in ``huggingface.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from training.config import ModelConfig


class Decoder(nn.Module):
    """Tokens to logits, or to the loss when targets are given."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, config: ModelConfig, recompute: bool = False):
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

    @torch.no_grad()
    def initialize(self, seed: int) -> Decoder:
        """Draws every matrix from N(0, init_std²) and sets the norms to one; the same on any device."""
        for i, (name, weight) in enumerate(sorted(self.named_parameters())):
            generator = torch.Generator().manual_seed(seed * 1_000_003 + i)
            if "norm" in name:
                weight.fill_(1.0)
            else:
                weight.copy_(torch.empty(weight.shape).normal_(0.0, self.config.init_std, generator=generator))
        return self

    def forward(
        self,
        tokens: Tensor,  # int64 [B, T]
        targets: Tensor | None = None,  # int64 [B, T]: return the loss instead of logits
        documents: Tensor | None = None,  # int64 [B, T]: attend only within equal ids, positions restart at each
        cache: KeyValueCache | None = None,  # of the tokens before these; extended in place
        reduction: str = "mean",  # of the loss: "mean" a scalar, "none" [B, T]
    ) -> Tensor:
        """Logits float32 [B, T, V]; or the cross-entropy in nats, float32, when ``targets`` are given."""
        seen = cache.length if cache else 0
        if seen + tokens.shape[1] > self.config.context:
            raise ValueError(f"{seen + tokens.shape[1]} tokens are more than model.context = {self.config.context}")
        if documents is None:
            cosine, sine = (t[seen : seen + tokens.shape[1]][None, None] for t in (self.cosine, self.sine))
            mask = causal_mask(tokens.shape[1], seen, tokens.device) if seen else None  # None: plain causal
        else:
            positions = restarting_positions(documents)
            cosine, sine = self.cosine[positions][:, None], self.sine[positions][:, None]  # [B, 1, T, h]
            mask = document_mask(documents)
        x = self.embedding(tokens)  # [B, T, d]
        for i, block in enumerate(self.blocks):
            past = cache.layer(i) if cache else None
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(block, x, cosine, sine, mask, past, use_reentrant=False)
            else:
                x = block(x, cosine, sine, mask, past)
        if cache:
            cache.length += tokens.shape[1]
        logits = self.head(self.norm(x)).float()  # [B, T, V]
        if targets is None:
            return logits
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)
        return loss if reduction == "mean" else loss.view_as(targets)


def empty_model(config: ModelConfig, recompute: bool = False) -> Decoder:
    """A decoder on the CPU whose weights are not set yet, without the time that torch's own first values take."""
    with torch.device("meta"):
        model = Decoder(config, recompute)
    model = model.to_empty(device="cpu")
    model.cosine, model.sine = rotary_table(config.context, config.head_size, config.rope_theta)
    return model


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, config.norm_eps)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.RMSNorm(config.width, config.norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None, past: LayerCache | None) -> Tensor:
        """[B, T, d] to [B, T, d]."""
        x = x + self.attention(self.attention_norm(x), cosine, sine, mask, past)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Attention(nn.Module):
    """Causal attention with rotary positions; key-value heads are shared by groups of query heads."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.heads, self.kv_heads, self.head_size = config.heads, config.kv_heads, config.head_size
        self.qkv = nn.Linear(config.width, (config.heads + 2 * config.kv_heads) * config.head_size, bias=False)
        self.output = nn.Linear(config.heads * config.head_size, config.width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None, past: LayerCache | None) -> Tensor:
        """[B, T, d] to [B, T, d]."""
        batch, length, _ = x.shape
        packed = self.qkv(x).view(batch, length, -1, self.head_size).transpose(1, 2)  # [B, H + 2K, T, h]
        rotated, v = packed.split([self.heads + self.kv_heads, self.kv_heads], dim=1)
        q, k = rotate(rotated, cosine, sine).split([self.heads, self.kv_heads], dim=1)  # [B, H, T, h], [B, K, T, h]
        if past is not None:
            k, v = past.extend(k, v)  # [B, K, seen + T, h]
        grouped = self.kv_heads < self.heads
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)
        return self.output(y.transpose(1, 2).flatten(2))  # [B, T, H·h] to [B, T, d]


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
    """Rotary position embedding (arXiv 2104.09864) of [B, heads, T, h], computed in float32."""
    low, high = x.chunk(2, dim=-1)
    return (x * cosine + torch.cat((-high, low), dim=-1) * sine).to(x.dtype)


def document_ids(tokens: Tensor, end_token: int) -> Tensor:
    """Numbers the documents within each row of int64 [B, T]; the end token is the last of its document."""
    ends = (tokens == end_token).long()
    return ends.cumsum(1) - ends


def restarting_positions(documents: Tensor) -> Tensor:
    """Positions int64 [B, T] that count from 0 in each document of ids [B, T]."""
    index = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    first = torch.ones_like(documents, dtype=torch.bool)
    first[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return index - torch.where(first, index, 0).cummax(1).values


def document_mask(documents: Tensor) -> Tensor:
    """True where attention is allowed, bool [B, 1, T, T]: to the same document, not to what follows."""
    same = documents[:, :, None] == documents[:, None, :]
    return same.tril()[:, None]


def causal_mask(length: int, seen: int, device: torch.device) -> Tensor:
    """True where attention is allowed for ``length`` tokens after ``seen`` others, bool [T, seen + T]."""
    return torch.ones(length, seen + length, dtype=torch.bool, device=device).tril(seen)


class LayerCache:
    """Keys and values of one layer, [B, K, context, h] each, of which ``length`` are filled."""

    def __init__(self, keys: Tensor, values: Tensor):
        self.keys, self.values, self.length = keys, values, 0

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Appends [B, K, T, h] and returns everything so far."""
        stop = self.length + k.shape[2]
        self.keys[:, :, self.length : stop], self.values[:, :, self.length : stop] = k, v
        self.length = stop
        return self.keys[:, :, :stop], self.values[:, :, :stop]


class KeyValueCache:
    """What generation keeps of the tokens before: one LayerCache a layer."""

    def __init__(self, model: Decoder, batch: int, context: int):
        config, like = model.config, model.head.weight
        shape = (batch, config.kv_heads, context, config.head_size)
        self.layers = [LayerCache(like.new_empty(shape), like.new_empty(shape)) for _ in range(config.layers)]
        self.length = 0

    def layer(self, i: int) -> LayerCache:
        """The cache of layer i."""
        return self.layers[i]
