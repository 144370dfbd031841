"""Sampling from a model with a key-value cache, for looking at what was learned, and its text as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from training.cache import KeyValueCache
from training.errors import TrainingError
from training.model import Decoder


@torch.no_grad()
def generate(
    model: Decoder,
    prompt: Sequence[int],
    most_tokens: int,
    *,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    end_token: int | None = None,
) -> Iterator[int]:
    """Yields at most ``most_tokens`` tokens after a prompt, until ``end_token`` (not yielded) or the context is full.

    ``temperature`` 0 takes the likeliest token; otherwise it is drawn from the ``top_k`` likeliest, or from the fewest
    whose probabilities reach ``top_p`` (nucleus sampling, arXiv 1904.09751). The same seed gives the same text on the
    same device. Raises TrainingError when the prompt is empty, leaves no room, or holds ids the model has not, and at
    settings out of range.
    """
    if temperature < 0 or (top_k is not None and top_k < 1) or (top_p is not None and not 0 < top_p <= 1):
        raise TrainingError(
            f"temperature {temperature}, top-k {top_k}, top-p {top_p}: the first is at least 0, the second at least 1, "
            "the third above 0 and at most 1"
        )
    vocabulary = model.config.vocabulary or 0
    if not prompt:
        raise TrainingError("the prompt has no tokens: give some text, or a tokenizer with a begin token")
    if len(prompt) >= model.config.context:
        raise TrainingError(f"the prompt has {len(prompt)} tokens, model.context is {model.config.context}: shorten it")
    if max(prompt) >= vocabulary:
        raise TrainingError(f"the prompt holds token {max(prompt)}, the model has {vocabulary}: wrong tokenizer?")
    device = model.head.weight.device
    generator = torch.Generator(device).manual_seed(seed)
    room = min(len(prompt) + most_tokens, model.config.context)
    cache = KeyValueCache(model.config, model.head.weight, 1, room)
    tokens = torch.tensor([list(prompt)], device=device)
    for _ in range(room - len(prompt)):
        logits = model(tokens, cache=cache)[0, -1]  # [V]
        token = choose(logits, temperature, top_k, top_p, generator)
        if token == end_token:
            return
        yield token
        tokens = torch.tensor([[token]], device=device)


def whole_characters(tokens: Iterable[int], decode: Callable[[list[int]], str]) -> Iterator[str]:
    """The text of tokens as they come, each character when its last byte is there: it may take several tokens.

    Of a byte-level tokenizer, where the text of a sequence begins with that of its beginning. Bytes that are no
    character become U+FFFD; the last one of a text may yet become one, so it waits.
    """
    waiting: list[int] = []  # since the last token that ended with a character
    shown = 0  # characters of theirs
    for token in tokens:
        waiting.append(token)
        text = decode(waiting)
        whole = len(text) - text.endswith("\ufffd")
        if whole > shown:
            yield text[shown:whole]
        waiting, shown = (waiting, whole) if whole < len(text) else ([], 0)
    if waiting:
        yield decode(waiting)[shown:]


def choose(
    logits: Tensor, temperature: float, top_k: int | None, top_p: float | None, generator: torch.Generator
) -> int:
    """Draws one token from float32 logits [V]."""
    if temperature <= 0:
        return int(logits.argmax())
    order = logits.argsort(descending=True, stable=True)
    probabilities = (logits[order] / temperature).softmax(0)
    if top_k is not None:
        probabilities[top_k:] = 0
    if top_p is not None:  # the token that crosses top_p is kept
        probabilities[probabilities.cumsum(0) - probabilities >= top_p] = 0
    return int(order[torch.multinomial(probabilities, 1, generator=generator)])
