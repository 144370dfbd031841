"""Parameter and FLOP counts against numbers worked out by hand and against the model itself."""

from __future__ import annotations

import itertools

import pytest
import torch

from training.config import model_config
from training.flops import flops_6n1, flops_6n2, flops_m, parameters, training_flops_per_token
from training.model import Decoder

SEVEN = model_config({"preset": "deepseek-7b"})
SIXTY_SEVEN = model_config({"preset": "deepseek-67b"})


def test_parameters_of_the_reference_models() -> None:
    # 30 · (4·4096² + 3·4096·11008) + 61·4096 + 2·102400·4096
    assert parameters(SEVEN).total == 30 * (67_108_864 + 135_266_304) + 249_856 + 838_860_800 == 6_910_365_696
    # 95 · (2·8192² + 2·8192·1024 + 3·8192·22016) + 191·8192 + 2·102400·8192
    assert (
        parameters(SIXTY_SEVEN).total == 95 * (150_994_944 + 541_065_216) + 1_564_672 + 1_677_721_600 == 67_425_001_472
    )


def test_flops_of_the_reference_models() -> None:
    assert flops_6n1(SEVEN) == 36_238_786_560  # 72 · 30 · 4096²
    assert flops_6n2(SEVEN) == 36_238_786_560 + 2_516_582_400  # + 6 · 102400 · 4096
    assert flops_m(SEVEN, 4096) == 36_238_786_560 + 6_039_797_760  # + 12 · 30 · 4096 · 4096
    assert flops_m(SIXTY_SEVEN, 4096) == 72 * 95 * 8192**2 + 12 * 95 * 8192 * 4096


def test_flops_for_mfu_count_the_model_as_it_is() -> None:
    blocks, head = 30 * (67_108_864 + 135_266_304), 102_400 * 4096
    assert training_flops_per_token(SEVEN, 4096) == 6 * (blocks + head) + 6_039_797_760


@pytest.mark.parametrize("shape", ["2m", "gqa"])
def test_counts_equal_the_models_own(shape: str) -> None:
    gqa = {"layers": 2, "width": 48, "feed_forward": 100, "heads": 6, "kv_heads": 2, "vocabulary": 50}
    config = model_config({"preset": "2m", "vocabulary": 512} if shape == "2m" else gqa)
    with torch.device("meta"):
        model = Decoder(config)
    counts = parameters(config)
    assert counts.total == sum(p.numel() for p in model.parameters())
    assert counts.embedding == model.embedding.weight.numel() and counts.head == model.head.weight.numel()


@pytest.mark.parametrize(
    ("preset", "least", "most"),
    [("2m", 1.5e6, 2.5e6), ("10m", 9e6, 12e6), ("30m", 28e6, 35e6), ("100m", 95e6, 110e6), ("300m", 290e6, 330e6),
     ("1b", 0.95e9, 1.1e9)],
)  # fmt: skip
def test_small_presets_are_called_by_their_non_embedding_parameters(preset: str, least: float, most: float) -> None:
    assert least < parameters(model_config({"preset": preset}), 1).non_embedding < most


def test_the_ladder_deepens_rather_than_widens() -> None:
    ladder = [model_config({"preset": name}) for name in ("2m", "10m", "30m", "100m", "300m", "1b")]
    for small, large in itertools.pairwise(ladder):
        assert large.layers / small.layers > large.width / small.width > 1
        assert 2.55 < large.feed_forward / large.width < 2.75 and large.head_size in (64, 128)


def test_an_open_vocabulary_must_be_given() -> None:
    with pytest.raises(ValueError, match=r"model\.vocabulary is null"):
        parameters(model_config({"preset": "2m"}))
