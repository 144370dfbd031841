"""How many parameters a model has and how many floating-point operations a token costs.

The three per-token counts of arXiv 2401.02954, section 3.2, which assume a feed-forward size of 8/3 of the width and
full multi-head attention, and the exact counts of a concrete model, from which MFU is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.config import ModelConfig


@dataclass(frozen=True)
class ParameterCounts:
    """Numbers of weights: in the embedding table, in the blocks' matrices, in the norms, in the head, and together."""

    embedding: int
    blocks: int
    norms: int
    head: int

    @property
    def total(self) -> int:
        """All weights."""
        return self.embedding + self.blocks + self.norms + self.head

    @property
    def non_embedding(self) -> int:
        """All but the two vocabulary-sized tables."""
        return self.blocks + self.norms


def parameters(model: ModelConfig, vocabulary: int | None = None) -> ParameterCounts:
    """Counts the weights exactly; ``vocabulary`` stands in where the model leaves it to the shards."""
    entries = model.vocabulary or vocabulary
    if entries is None:
        raise ValueError("model.vocabulary is null: pass the shards' vocabulary to count the embedding's weights")
    d, kv = model.width, model.kv_heads * model.head_size
    block = 2 * d * d + 2 * d * kv + 3 * d * model.feed_forward  # query and output, key and value, SwiGLU
    return ParameterCounts(
        embedding=entries * d, blocks=model.layers * block, norms=(2 * model.layers + 1) * d, head=entries * d
    )


def flops_6n1(model: ModelConfig) -> int:
    """6N₁ = 72·n_layer·d_model²: non-embedding parameters only, no attention."""
    return 72 * model.layers * model.width**2


def flops_6n2(model: ModelConfig, vocabulary: int | None = None) -> int:
    """6N₂ = 72·n_layer·d_model² + 6·n_vocab·d_model: with the head, no attention."""
    entries = model.vocabulary or vocabulary
    if entries is None:
        raise ValueError("model.vocabulary is null: pass the shards' vocabulary")
    return flops_6n1(model) + 6 * entries * model.width


def flops_m(model: ModelConfig, context: int) -> int:
    """M = 72·n_layer·d_model² + 12·n_layer·d_model·l_seq: the reference's model scale, non-embedding FLOPs a token."""
    return flops_6n1(model) + 12 * model.layers * model.width * context


def training_flops_per_token(model: ModelConfig, context: int, vocabulary: int | None = None) -> int:
    """Forward and backward FLOPs of this very model per token, for MFU: 6 a weight in a product, and attention.

    Attention is counted in full although the causal half is enough, and less where it stays inside documents, as PaLM's
    appendix B, Megatron-LM and torchtitan do, so that the figures can be compared; recomputation is not counted.
    """
    counts = parameters(model, vocabulary)
    return 6 * (counts.blocks + counts.head) + 12 * model.layers * model.heads * model.head_size * context


# Dense bf16 peaks in FLOP/s, from the makers' data sheets; those with sparsity are twice as high. First match counts.
_PEAKS = (
    ("H100 PCIe", 756e12), ("H100 NVL", 835e12), ("H100", 989e12), ("H800", 989e12), ("H200", 989e12), ("H20", 148e12),
    ("B200", 2250e12), ("A100", 312e12), ("A800", 312e12), ("L40S", 362e12), ("A40", 150e12), ("A10G", 70e12),
    ("RTX 4090", 165e12),
)  # fmt: skip


def peak_flops(device_name: str) -> float | None:
    """Dense bf16 FLOP/s of a GPU by the name that ``torch.cuda.get_device_name`` gives it; None of an unknown one."""
    return next((peak for name, peak in _PEAKS if name in device_name), None)
