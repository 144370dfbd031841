"""`sample.json`: what is in the crawl, for tests that check a deduplication or a reader independently."""

import json
import platform
from pathlib import Path
from typing import Any

from pipeline.sample.dump_files import DumpFile
from pipeline.sample.similarity import UNLIKE_BELOW

TRUTH_FILE = "sample.json"

_ABOUT = (
    "The truth about the crawl in this folder. documents: every page in a record that is whole, in the order of the "
    "files. cluster: the id of the earliest document with the same or nearly the same text. relation: first = that "
    "document; identical = the same bytes as an earlier one; same-text = the same content in another frame or charset; "
    f"near = a small edit. Documents of different clusters are below a Jaccard similarity of {UNLIKE_BELOW} (5-word "
    "shingles of the content). files: whole records by kind, and what is broken at which offset; a broken record is in "
    "no other count, and its page is in none of the documents."
)


def write_truth(out: Path, found: dict[str, Any]) -> None:
    """Write `sample.json`; an empty one marks the folder of a sample that is being written."""
    (out / TRUTH_FILE).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def has_truth(out: Path) -> bool:
    """Whether the folder holds a sample, whole or not, and not somebody's file of the same name."""
    try:
        found = json.loads((out / TRUTH_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == {} or (isinstance(found, dict) and {"about", "documents", "files"} <= found.keys()))


def truth(files: list[DumpFile], dumps: list[str], seed: int) -> dict[str, Any]:
    """The content of `sample.json`: documents with cluster and relation, mirrors, files with their damage."""
    first_of: dict[str, str] = {}
    seen: dict[str, dict[str, set[str]]] = {}
    documents = []
    for document in (document for file in files for document in file.documents):
        family, body, content = document.pop("family"), document.pop("body"), document.pop("content")
        known = seen.setdefault(family, {"body": set(), "content": set()})
        if family not in first_of:
            relation = "first"
        elif body in known["body"]:
            relation = "identical"
        else:
            relation = "same-text" if content in known["content"] else "near"
        known["body"].add(body)
        known["content"].add(content)
        cluster = first_of.setdefault(family, document["id"])
        documents.append({**document, "cluster": cluster, "relation": relation})
    mirrors: dict[str, set[str]] = {}
    for document in documents:
        if document["copy_of"] and _host(document["url"]) != _host(document["copy_of"]):
            mirrors.setdefault(_host(document["url"]), set()).add(_host(document["copy_of"]))
    return {
        "about": _ABOUT,
        "python": platform.python_version(),
        "seed": seed,
        "dumps": {dump: sum(document["dump"] == dump for document in documents) for dump in dumps},
        "mirrors": {host: sorted(originals) for host, originals in sorted(mirrors.items())},
        "files": {file.path: {"records": dict(sorted(file.records.items())), "broken": file.broken} for file in files},
        "documents": documents,
    }


def _host(url: str) -> str:
    return url.removeprefix("https://").partition("/")[0]
