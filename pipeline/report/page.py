"""A report as one HTML file that needs no network.

The page may hold text that strangers wrote. Three walls keep it inert: every value is escaped (``markup``,
``drawing.label``), the figures are data and not script, and the page's own policy lets a browser run only the two
scripts it was written with, and load nothing from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from plotly.offline import get_plotlyjs

from pipeline import storage
from pipeline.report import markup
from pipeline.report.markup import Section, Tile

_FOLDER = Path(__file__).parent


class Page(NamedTuple):
    """What stands on a page: its name, a line below it, the figures at the top, the sections, a line at the end."""

    title: str
    subtitle: str
    headline: Sequence[Tile]
    sections: Sequence[Section]
    footer: str


def write_page(path: str, page: Page) -> None:
    """Writes a page, to a local or a remote path."""
    with storage.atomic_write(path) as file:
        file.stream.write(html_of(page).encode("utf-8", "replace"))


def html_of(page: Page) -> str:
    """The page as HTML."""
    bodies: list[str] = []
    figures: dict[str, dict[str, Any]] = {}
    for part in page.sections:
        body, drawn = markup.section(part)
        bodies.append(body)
        figures |= drawn
    plotly, script = get_plotlyjs(), (_FOLDER / "page.js").read_text("utf-8")
    return Template((_FOLDER / "page.html").read_text("utf-8")).substitute(
        policy=_policy(plotly, script),
        title=markup.text(page.title),
        subtitle=markup.text(page.subtitle),
        style=_style(),
        headline=markup.tiles(page.headline),
        contents=_contents(page.sections),
        sections="\n".join(bodies),
        footer=markup.text(page.footer),
        figures=_embedded(figures),
        plotly=plotly,
        script=script,
    )


def _policy(*scripts: str) -> str:
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _style() -> str:
    """The style sheet, with the dark theme once for the device's setting and once for the page's own button."""
    sheet = (_FOLDER / "page.css").read_text("utf-8")
    start = sheet.index("$dark {")
    end = sheet.index("}", start) + 1
    block = sheet[start:end]
    asked = block.replace("$dark", ':root[data-theme="dark"]')
    set_by_device = block.replace("$dark", ':root:not([data-theme="light"])')
    return f"{sheet[:start]}{asked}\n@media (prefers-color-scheme: dark) {{ {set_by_device} }}{sheet[end:]}"


def _contents(parts: Sequence[Section]) -> str:
    links = []
    for part in parts:
        absent = " class=absent" if part.problem and not part.cards else ""
        links.append(f'<a href="#{part.anchor}"{absent}>{markup.text(part.title)}</a>')
    return "".join(links)


def _embedded(value: Any) -> str:
    """JSON that can stand inside a script element, whatever its strings hold."""
    plain = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
