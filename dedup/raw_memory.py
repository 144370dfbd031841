"""Reading by address: ``text.raw_memory``, where the tokenizer shares it."""

from text.raw_memory import read_uint8, read_uint32, read_uint64

__all__ = ["read_uint8", "read_uint32", "read_uint64"]
