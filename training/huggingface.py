"""Weights to and from Hugging Face's LLaMA layout, in which others publish and load this kind of model.

There query, key and value, and gate and up, are matrices of their own; here they are packed. The rotary pairing is the
same (i with i + h/2), so no row moves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.config import ModelConfig
from training.errors import TrainingError
from training.model import Block, Decoder, empty_model

MOST_BYTES = 5_000_000_000  # of a file, as transformers divides them


def to_llama(model: Decoder) -> dict[str, Tensor]:
    """The weights under LlamaForCausalLM's names; the parts of packed matrices are views."""
    c = model.config
    out = {"model.embed_tokens.weight": model.embedding.weight, "model.norm.weight": model.norm.weight,
           "lm_head.weight": model.head.weight}  # fmt: skip
    rows = [c.heads * c.head_size, c.kv_heads * c.head_size, c.kv_heads * c.head_size]
    for i, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        ours, theirs = block.attention, f"model.layers.{i}."
        q, k, v = ours.qkv.weight.split(rows)
        gate, up = block.feed_forward.gate_up.weight.chunk(2)
        parts = {
            "self_attn.q_proj": q, "self_attn.k_proj": k, "self_attn.v_proj": v, "self_attn.o_proj": ours.output.weight,
            "mlp.gate_proj": gate, "mlp.up_proj": up, "mlp.down_proj": block.feed_forward.down.weight,
            "input_layernorm": block.attention_norm.weight, "post_attention_layernorm": block.feed_forward_norm.weight,
        }  # fmt: skip
        out |= {f"{theirs}{name}.weight": part for name, part in parts.items()}
    return {key: value.detach() for key, value in out.items()}


@torch.no_grad()
def from_llama(model: Decoder, weights: Mapping[str, Tensor]) -> None:
    """Copies LlamaForCausalLM weights into a model; raises TrainingError at a name or shape that differs."""
    targets = to_llama(model)
    missing, unknown = sorted(targets.keys() - weights.keys()), sorted(weights.keys() - targets.keys())
    if missing == ["lm_head.weight"]:
        raise TrainingError("the weights have no lm_head.weight: their embedding and head are tied, these are not")
    if missing or unknown:
        raise TrainingError(f"the weights are not of this shape: missing {missing[:3]}, unknown {unknown[:3]}")
    for name, target in targets.items():
        if target.shape != weights[name].shape:
            raise TrainingError(f"{name} has shape {list(weights[name].shape)}, the model needs {list(target.shape)}")
        target.copy_(weights[name])


def to_llama_config(config: ModelConfig) -> dict[str, Any]:
    """``config.json`` of a LlamaForCausalLM with this shape."""
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": config.width, "intermediate_size": config.feed_forward, "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads, "num_key_value_heads": config.kv_heads, "head_dim": config.head_size,
        "vocab_size": config.vocabulary, "max_position_embeddings": config.context, "rope_theta": config.rope_theta,
        "rms_norm_eps": config.norm_eps, "initializer_range": config.init_std, "tie_word_embeddings": False,
        "attention_bias": False, "mlp_bias": False,
    }  # fmt: skip


def from_llama_config(mapping: Mapping[str, Any]) -> ModelConfig:
    """The shape in a LlamaForCausalLM's ``config.json``; raises TrainingError at what this decoder has not."""
    rope = mapping.get("rope_parameters") or mapping.get("rope_scaling") or {}
    for key, wanted in {"tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False}.items():
        if mapping.get(key, wanted) != wanted:
            raise TrainingError(f"config.json: {key} is {mapping[key]}, this decoder has it {wanted}")
    if rope.get("rope_type", rope.get("type", "default")) != "default" or mapping.get("hidden_act", "silu") != "silu":
        raise TrainingError("config.json: scaled rotary positions or an activation other than silu are not supported")
    heads = mapping["num_attention_heads"]
    return ModelConfig(
        layers=mapping["num_hidden_layers"], width=mapping["hidden_size"], feed_forward=mapping["intermediate_size"],
        heads=heads, kv_heads=mapping.get("num_key_value_heads") or heads, vocabulary=mapping["vocab_size"],
        context=mapping.get("max_position_embeddings", 2048),
        rope_theta=mapping.get("rope_theta") or rope.get("rope_theta", 10_000.0),
        norm_eps=mapping.get("rms_norm_eps", 1e-6), init_std=mapping.get("initializer_range", 0.02),
    )  # fmt: skip


def save_llama(
    model: Decoder,
    folder: Path,
    dtype: torch.dtype = torch.float32,
    begin_token: int | None = None,
    end_token: int | None = None,
    most_bytes: int = MOST_BYTES,
) -> None:
    """Writes ``config.json`` and the weights as ``LlamaForCausalLM.from_pretrained`` reads them.

    Weights of more than ``most_bytes`` go into several files with an index, in the order of the model.
    """
    save_file = _safetensors().save_file
    folder.mkdir(parents=True, exist_ok=True)
    settings = to_llama_config(model.config) | {
        "bos_token_id": begin_token, "eos_token_id": end_token, "dtype": str(dtype).removeprefix("torch."),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    weights = to_llama(model)
    files = _files({name: value.numel() * dtype.itemsize for name, value in weights.items()}, most_bytes)
    names = [f"model-{i:05d}-of-{len(files):05d}.safetensors" for i in range(1, len(files) + 1)]
    for path, inside in zip(names if len(files) > 1 else ["model.safetensors"], files, strict=True):
        tensors = {name: weights[name].to("cpu", dtype, copy=True).contiguous() for name in inside}
        save_file(tensors, folder / path, metadata={"format": "pt"})
    if len(files) > 1:
        places = {name: path for path, inside in zip(names, files, strict=True) for name in inside}
        size = sum(value.numel() for value in weights.values()) * dtype.itemsize
        index = {"metadata": {"total_size": size}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def _files(sizes: Mapping[str, int], most_bytes: int) -> list[list[str]]:
    """Weights by file, each as full as it may be; one larger than that has a file of its own."""
    files: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if files[-1] and filled + size > most_bytes:
            files.append([])
            filled = 0
        files[-1].append(name)
        filled += size
    return files


def load_llama(folder: Path) -> Decoder:
    """Reads what ``save_llama`` or transformers wrote (all ``*.safetensors`` of a folder), in float32."""
    load_file = _safetensors().load_file
    model = empty_model(from_llama_config(json.loads((folder / "config.json").read_text())))
    weights: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights |= load_file(path)
    from_llama(model, weights)
    return model


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError:
        raise TrainingError("Hugging Face's weight files need safetensors: pip install safetensors") from None
    return safetensors.torch
