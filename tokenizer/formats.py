"""The tokenizer as one value, and as the two files that Hugging Face libraries load.

``tokenizer.json`` and ``tokenizer_config.json`` give the same ids in ``tokenizers`` and ``transformers`` as the encoder
here. One difference is theirs: by default they also match special tokens written out in ordinary text. The config sets
``split_special_tokens``, so ``transformers`` does not; with ``tokenizers`` alone, set ``encode_special_tokens = True``.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer.foreign_parts import added_tokens, check_numbers, check_parts
from tokenizer.merges import BYTE_OF_ID, Merges
from tokenizer.numbering import check_ids, follow_directly
from tokenizer.output_files import whole
from tokenizer.pretokenizers import Pretokenizer, from_tokenizers
from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS, check_special_tokens, padded_vocabulary

_HF_ROLES = {"begin": "bos_token", "end": "eos_token", "pad": "pad_token"}
_OURS = "gristmill"  # the key in tokenizer_config.json that keeps what Hugging Face has no field for


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """What turns text into ids: pre-tokenizer, merges, special tokens; and how many rows the model keeps for it.

    Attributes:
        pretokenizer: cuts text into pieces.
        merges: regular tokens, in the order they were learned.
        special_tokens: name → string, ids in this order.
        model_vocabulary: rows of the embedding, at least ``tokens``; 0 rounds up to a multiple of 4,096.
        ids: uint32 [regular], the id of each regular token where it is not its rank (imported tokenizers), else None.
        special_ids: name → id where special tokens do not simply follow the regular ones, else empty.

    Raises:
        ValueError: the special tokens lack an end or repeat one another, ids repeat or are out of range, or the model's
            vocabulary is below them.
    """

    pretokenizer: Pretokenizer
    merges: Merges
    special_tokens: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_SPECIAL_TOKENS))
    model_vocabulary: int = 0
    ids: np.ndarray | None = None
    special_ids: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_special_tokens(self.special_tokens)
        if not self.special_ids:
            numbered = {name: self.merges.vocabulary_size + i for i, name in enumerate(self.special_tokens)}
            object.__setattr__(self, "special_ids", numbered)
        check_ids(self.merges.vocabulary_size, self.ids, self.special_tokens, self.special_ids)
        if self.ids is not None:
            object.__setattr__(self, "ids", np.asarray(self.ids, np.uint32))
        if not self.model_vocabulary:
            object.__setattr__(self, "model_vocabulary", padded_vocabulary(self.tokens))
        if self.model_vocabulary < self.tokens:
            raise ValueError(
                f"model_vocabulary {self.model_vocabulary} is below the {self.tokens} ids in use: "
                "raise it, or leave it out"
            )

    @property
    def tokens(self) -> int:
        """Number of ids in use: regular and special tokens."""
        highest = int(self.ids.max()) if self.ids is not None else self.merges.vocabulary_size - 1
        return 1 + max(highest, *self.special_ids.values())

    def special(self, name: str) -> int:
        """The id of a special token by name, such as ``"end"``."""
        if name not in self.special_ids:
            raise ValueError(f"special token {name!r} is unknown: this tokenizer has {', '.join(self.special_ids)}")
        return self.special_ids[name]

    @functools.cached_property
    def token_bytes(self) -> list[bytes]:
        """What each id decodes to, [tokens]; special tokens decode to their strings, unused ids to nothing."""
        table = [b""] * self.tokens
        regular = self.merges.tokens()
        ids = range(len(regular)) if self.ids is None else self.ids.tolist()
        for token_id, content in zip(ids, regular):
            table[token_id] = content
        for name, text in self.special_tokens.items():
            table[self.special_ids[name]] = text.encode()
        return table

    @functools.cached_property
    def hash(self) -> str:
        """sha256 (hex) of everything that decides the ids; neither names of files nor the padding change it."""
        digest = hashlib.sha256(b"gristmill tokenizer 1\n")
        digest.update(self.pretokenizer.fingerprint.encode())
        digest.update(np.ascontiguousarray(self.merges.pairs, "<i4").tobytes())
        if self.ids is not None:
            digest.update(np.ascontiguousarray(self.ids, "<u4").tobytes())
        by_id = sorted(self.special_tokens, key=self.special_ids.__getitem__)  # as they come back from a file
        special = [[name, self.special_tokens[name], self.special_ids[name]] for name in by_id]
        digest.update(json.dumps(special, ensure_ascii=True, separators=(",", ":")).encode())
        return digest.hexdigest()


def save(tokenizer: Tokenizer, folder: str | Path) -> list[Path]:
    """Writes ``tokenizer.json`` and ``tokenizer_config.json`` into ``folder``; returns their paths."""
    written = []
    for name, text in to_json(tokenizer).items():
        written.append(Path(folder) / name)
        with whole(written[-1]) as file:
            file.write(text.encode())
    return written


def to_json(tokenizer: Tokenizer) -> dict[str, str]:
    """The files that ``save`` writes, as name → content."""
    characters = _byte_characters()
    spelled = ["".join(characters[byte] for byte in token) for token in tokenizer.merges.tokens()]
    ids = list(range(len(spelled))) if tokenizer.ids is None else tokenizer.ids.tolist()
    numbered = dict(zip(spelled, ids))
    alike = [text for text in tokenizer.special_tokens.values() if text in numbered]
    if alike:
        raise ValueError(
            f"special token {alike[0]!r} is spelled like regular token {numbered[alike[0]]}, and Hugging Face's "
            "libraries know one id for both: give it another text, or forbid that token (tokenizer.forbidden)"
        )
    if not follow_directly(ids, tokenizer.special_ids.values()):
        # Hugging Face's libraries number added tokens from the size of the vocabulary on, unless it holds them.
        numbered |= {text: tokenizer.special_ids[name] for name, text in tokenizer.special_tokens.items()}
    vocabulary = dict(sorted(numbered.items(), key=lambda item: item[1]))
    added: list[dict[str, Any]] = [
        {
            "id": tokenizer.special_ids[name], "content": text, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": True,
        }
        for name, text in tokenizer.special_tokens.items()
    ]  # fmt: skip
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": sorted(added, key=lambda token: token["id"]),
        "normalizer": None,
        "pre_tokenizer": tokenizer.pretokenizer.to_tokenizers(),
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [[spelled[left], spelled[right]] for left, right in tokenizer.merges.pairs.tolist()],
        },
    }  # fmt: skip
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
        "model_max_length": 10**30,
        _OURS: {
            "pretokenizer": tokenizer.pretokenizer.name,
            "model_vocabulary": tokenizer.model_vocabulary,
            "special_tokens": dict(tokenizer.special_tokens),
            "hash": tokenizer.hash,
        },
    }
    for name, hf_name in _HF_ROLES.items():
        if name in tokenizer.special_tokens:
            config[hf_name] = tokenizer.special_tokens[name]
    return {
        "tokenizer.json": json.dumps(document, ensure_ascii=False, indent=1) + "\n",
        "tokenizer_config.json": json.dumps(config, ensure_ascii=False, indent=1) + "\n",
    }


def load(path: str | Path) -> Tokenizer:
    """Loads a tokenizer from a folder or a ``tokenizer.json``; the config beside it is read when there is one.

    Raises:
        FileNotFoundError: no ``tokenizer.json`` there.
        ValueError: the file is damaged, or uses what this reader does not run (names the part).
    """
    path = Path(path)
    file = path / "tokenizer.json" if path.is_dir() else path
    config_file = file.with_name("tokenizer_config.json")
    config_text = config_file.read_text(encoding="utf-8") if config_file.is_file() else None
    return from_json(file.read_text(encoding="utf-8"), config_text, str(file))


def from_json(tokenizer_json: str, config_json: str | None = None, where: str = "tokenizer.json") -> Tokenizer:
    """Reads the content of ``tokenizer.json`` (and of ``tokenizer_config.json``); see ``load``."""
    try:
        document = json.loads(tokenizer_json)
        config = json.loads(config_json) if config_json else {}
        return _read(document, config)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: is not JSON ({error}); export the tokenizer again") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{where}: is no Hugging Face tokenizer.json ({error!r}); export it again") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _read(document: dict[str, Any], config: dict[str, Any]) -> Tokenizer:
    check_parts(document)
    model = document["model"]
    pretokenizer = from_tokenizers(document.get("pre_tokenizer"))
    characters = _byte_characters()
    vocabulary: dict[str, int] = dict(model["vocab"])
    added = added_tokens(document, characters)
    # DeepSeek LLM's file has 13 bytes that no valid UTF-8 holds (C0, C1, F5-FF) as added tokens only, and Hugging Face
    # matches those in text: its "ü" decodes to a broken byte (tokenizers issue 1392). They are bytes here, never text.
    vocabulary |= {c: added.pop(c) for c in characters if c not in vocabulary and c in added}
    missing = [byte for byte in range(256) if characters[byte] not in vocabulary]
    if missing:
        raise ValueError(f"model.vocab has no token for byte {missing[0]:#04x}: every byte must be reachable")
    rank = {characters[byte]: i for i, byte in enumerate(BYTE_OF_ID.tolist())}
    pairs: list[tuple[int, int]] = []
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        if left not in rank or right not in rank or left + right not in vocabulary:
            raise ValueError(f"model.merges {left!r} {right!r} joins unknown tokens: merges are out of order")
        if left + right in rank:
            raise ValueError(f"model.merges makes {left + right!r} twice: only one merge a token is supported")
        pairs.append((rank[left], rank[right]))
        rank[left + right] = len(rank)
    unreachable = [token for token in vocabulary if token not in rank and token not in added]
    if unreachable:
        raise ValueError(
            f"model.vocab {unreachable[0]!r} is made by no merge: {len(unreachable)} tokens are unreachable"
        )
    check_numbers(document)
    ids = np.array([vocabulary[token] for token in rank])
    special_tokens = _special_names(added, config)
    ours = config.get(_OURS, {})
    merges = Merges(np.array(pairs, np.int32).reshape(-1, 2), np.zeros(len(pairs), np.int64))
    return Tokenizer(
        pretokenizer,
        merges,
        special_tokens,
        ours.get("model_vocabulary", 0),
        None if np.array_equal(ids, np.arange(len(ids))) else ids,
        {name: added[text] for name, text in special_tokens.items()},
    )


def _special_names(added: Mapping[str, int], config: Mapping[str, Any]) -> dict[str, str]:
    """Names for the added tokens: ours from the config, else begin, end and pad by their Hugging Face roles."""
    known = config.get(_OURS, {}).get("special_tokens") or {
        name: text for name, text in DEFAULT_SPECIAL_TOKENS.items() if text in added
    }
    names = {text: name for name, text in known.items()}
    for name, hf_name in _HF_ROLES.items():
        role = config.get(hf_name)
        text = role.get("content") if isinstance(role, dict) else role
        if text in added:
            names.setdefault(text, name)
    ordered = sorted(added, key=lambda text: added[text])
    return {names.get(text, f"special_{i}"): text for i, text in enumerate(ordered)}


@functools.cache
def _byte_characters() -> list[str]:
    """The visible character that stands for each byte in Hugging Face's byte-level vocabularies (from GPT-2)."""
    characters = [""] * 256
    shifted = 256
    for i, byte in enumerate(BYTE_OF_ID.tolist()):
        if i < 188:  # the printable ones come first and stand for themselves
            characters[byte] = chr(byte)
        else:
            characters[byte] = chr(shifted)
            shifted += 1
    return characters
