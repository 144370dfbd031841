"""``report.html``: the report as one file that needs no network, and ``report.json`` beside it.

The page may hold text that strangers wrote. Three walls keep it inert: every value is escaped (``markup``,
``drawing.label``), the figures are data and not script, and the page's own policy lets a browser run only the two
scripts it was written with, and load nothing from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from pipeline import storage
from pipeline.errors import GristmillError
from pipeline.report import data, formats, markup
from pipeline.report.markup import Section
from pipeline.report.schema import NOT_RUN
from pipeline.report.sections import sections
from pipeline.report.sections.headline import headline

_FOLDER = Path(__file__).parent


def write_report(output: str | Path) -> Path:
    """Writes ``report.json`` and ``report.html`` into an output folder; stages that have not run are left out with a
    note.

    Args:
        output: the folder a run wrote to, or a training run's folder. Remote folders are given as strings.

    Returns:
        The path of ``report.html``.

    Raises:
        GristmillError: there is nothing in the folder that a report can be made of.
    """
    folder = str(output)
    report = data.assemble(folder)
    if not report["training"] and all(stage["problem"] == NOT_RUN for stage in report["stages"]):
        raise GristmillError(
            f"{folder} holds no stage's manifest.json and no metrics.jsonl, so there is nothing to report: give "
            f"the output "
            "folder of a corpus or of a training run"
        )
    storage.write_json(storage.join(folder, "report.json"), report)
    path = storage.join(folder, "report.html")
    with storage.atomic_write(path) as file:
        file.stream.write(render(report).encode("utf-8", "replace"))
    return Path(path)


def render(report: Mapping[str, Any]) -> str:
    """The page for what ``data.assemble`` returned."""
    parts = sections(report)
    bodies: list[str] = []
    figures: dict[str, dict[str, Any]] = {}
    for part in parts:
        body, drawn = markup.section(part)
        bodies.append(body)
        figures |= drawn
    plotly, script = get_plotlyjs(), (_FOLDER / "page.js").read_text("utf-8")
    return Template((_FOLDER / "page.html").read_text("utf-8")).substitute(
        policy=_policy(plotly, script),
        title=markup.text(report["name"]),
        subtitle=markup.text(_subtitle(report)),
        style=_style(),
        headline=markup.tiles(headline(report)),
        contents=_contents(parts),
        sections="\n".join(bodies),
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


def _subtitle(report: Mapping[str, Any]) -> str:
    words = [f"finished {formats.time(report['created'])}"] if report["created"] else []
    if report["version"] not in ("", "unknown"):
        words.append(f"gristmill {report['version']}")
    return " · ".join(words) or "training runs"


def _embedded(value: Any) -> str:
    """JSON that can stand inside a script element, whatever its strings hold."""
    plain = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
