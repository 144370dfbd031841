"""The lists of ``filter.urls``, read from the config and from files wherever they lie."""

from __future__ import annotations

import functools
import gzip
import zlib
from typing import Any

import pyarrow as pa

from filters import urls
from filters.urls import UrlList, UrlRules
from pipeline import storage
from pipeline.config.urls import Urls
from pipeline.errors import ConfigError

_GZIP = b"\x1f\x8b"


def fingerprint(config: Urls) -> dict[str, Any] | None:
    """What the lists say, by content; None where there is no list."""
    if not config.given():
        return None
    files = [file for side in (config.block, config.allow) for _, paths in side.given().values() for file in paths]
    return {"urls": config.model_dump(), "files": [_sha256(file) for file in files]}


def _sha256(file: str) -> str:
    try:
        return storage.sha256_of(file)
    except OSError as error:
        raise ConfigError(f"filter.urls: {file}: {error.strerror or error}") from None


def rules_of(config: Urls) -> UrlRules:
    """The lists, read once a process and content.

    Raises:
        ConfigError: a file that is not there, is no text or lists nothing, or an entry that nothing can match; names
            the key, the file and the entry.
    """
    found = fingerprint(config) or {"files": ()}
    return _rules_of(config.model_dump_json(), tuple(found["files"]))


@functools.lru_cache(maxsize=2)
def _rules_of(config_json: str, files: tuple[str, ...]) -> UrlRules:
    config = Urls.model_validate_json(config_json)
    block, allow = (
        {kind: _list(f"filter.urls.{name}.{kind}", kind, *given) for kind, given in lists.given().items()}
        for name, lists in (("block", config.block), ("allow", config.allow))
    )
    return UrlRules(block, allow, config.block.soft_words_minimum)


def _list(key: str, kind: str, entries: list[str], files: list[str]) -> UrlList:
    try:
        each = [urls.url_list(kind, entries, key)] if entries else []
        each += [urls.url_list(kind, lines_of(file), file) for file in files]
        if len(each) == 1:
            return each[0]
        return urls.url_list(kind, pa.concat_arrays([one.entries for one in each]), key)
    except ValueError as error:
        raise ConfigError(str(error) if str(error).startswith(key) else f"{key}: {error}") from None


def lines_of(path: str) -> pa.Array:
    """The lines of a text file, plain or gzip.

    Raises:
        ConfigError: it cannot be read.
        ValueError: it is no text.
    """
    try:
        with storage.open_read(path) as file:
            data = file.read()
        if data.startswith(_GZIP):
            data = gzip.decompress(data)
        text = data.decode("utf-8-sig")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: broken gzip ({error})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: this is no text in UTF-8 (byte {error.start:,})") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    if "\0" in text:
        raise ValueError(f"{path}: this is no text, it has zero bytes")
    return pa.array(text.split("\n"), pa.large_string())
