"""Pages before any site or crawl: a path, a title, a language and the HTML of the content."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.sample.errors import SampleError

_INHERITED = re.compile(
    r"<hr>\n(?:Methods|Class methods|Static methods|Readonly properties|Data descriptors|Data and other attributes)"
    r" inherited from .*?(?=<hr>\n|</td></tr></table>)",
    re.DOTALL,
)
_RENDERER = Path(__file__).with_name("render.py")


@dataclass(frozen=True)
class Page:
    """One page's own content: HTML without the site around it."""

    path: str  #: where the site keeps it, without a leading slash; no two pages share one
    title: str  #: HTML
    language: str  #: ISO 639-1
    content: str  #: HTML; its entries are `<dl>…</dl>` and `<p>…</p>` elements, which are never nested

    def without_inherited(self) -> "Page":
        """The page of a class with its own members only; other pages are returned as they are."""
        return replace(self, content=_INHERITED.sub("", self.content))


def english_pages() -> list[Page]:
    """The pages that pydoc renders, always in the same order."""
    return [Page(page["path"], page["title"], "en", page["content"]) for page in _rendered()["pages"]]


def module_outlines() -> list[dict[str, Any]]:
    """For each module: name, functions (name, parameters), classes (name, methods), words of its docstring."""
    outlines: list[dict[str, Any]] = _rendered()["modules"]
    return outlines


@cache
def _rendered() -> dict[str, Any]:
    # A bare interpreter: no site-packages, no environment, nothing that this process has imported or patched.
    command = [sys.executable, "-I", "-S", "-X", "utf8", str(_RENDERER)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SampleError(f"pydoc could not render the standard library of {sys.executable}: {last}")
    rendered: dict[str, Any] = json.loads(done.stdout)
    return rendered
