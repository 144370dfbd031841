"""The report's charts as plotly figures: plain JSON values, one function a chart, None when there is nothing to draw.

Colours are names of the page's custom properties (``var(--kept)``), which the page resolves, so that one figure
serves the light and the dark theme. A colour means the same in every chart: kept, removed, before, and a mark for a
target. Whatever comes from a crawl or a configuration goes through ``label``, since plotly renders some markup in
its texts.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.visible import visible

Figure = dict[str, Any]

KEPT, REMOVED, REMOVED_SOFT = "var(--kept)", "var(--removed)", "var(--removed-soft)"
BEFORE, MARK, MUTED, GRID = "var(--before)", "var(--mark)", "var(--muted)", "var(--grid)"
HEAT = [[0, "var(--heat-0)"], [0.5, "var(--heat-1)"], [1, "var(--heat-2)"]]
SERIES = tuple(f"var(--series-{number})" for number in range(1, 7))

_ROW, _LEGEND, _AXIS = (
    30,
    40,
    48,
)  # heights in CSS pixels: of one horizontal bar, of the legend above, of the axis below
_MOST_BARS = 20


def label(text: object, longest: int = 48) -> str:
    """Text for a chart, in which no markup is left and nothing is invisible."""
    shown = visible(text)
    return html.escape(shown if len(shown) <= longest else shown[: longest - 1] + "…", quote=False)


def steps(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Documents left after each step of the pipeline."""
    first = next((row["documents"] for row in rows if row["documents"]), 0)
    if not first:
        return None
    texts = [
        formats.compact(row["documents"])
        + (f" · {formats.size(row['text_bytes'])}" if row["text_bytes"] is not None else "")
        for row in rows
    ]
    hovers = [
        f"{formats.count(row['documents'])} documents, {formats.share(row['documents'] / first)} of the first step"
        for row in rows
    ]
    colours = [BEFORE if row["step"] in ("read", "documents") else KEPT for row in rows]
    bars = _bars([row["documents"] for row in rows], "documents", colours, hovers, texts)
    return _horizontal([bars], [row["title"] for row in rows], _axis(showticklabels=False, showgrid=False), texts=True)


def input_by_dump(dumps: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """Text of each dump."""
    if len(dumps) < 2:
        return None
    names = [label(name, 24) for name in dumps]
    hovers = [
        f"{formats.count(dump['documents'])} documents, {formats.size(dump['text_bytes'])}" for dump in dumps.values()
    ]
    bars = {
        "type": "bar",
        "x": names,
        "y": [dump["text_bytes"] for dump in dumps.values()],
        "marker": {"color": KEPT},
        "customdata": hovers,
        "hovertemplate": "<b>%{x}</b><br>%{customdata}<extra></extra>",
    }
    y = _axis("text", rangemode="tozero", tickformat="~s", ticksuffix="B")
    return _figure([bars], 280, _axis(type="category", showgrid=False), y)


def counts(amounts: Mapping[str, int], unit: str, colour: str) -> Figure | None:
    """Named counts, the largest first."""
    rows = sorted(((name, value) for name, value in amounts.items() if value), key=lambda row: (-row[1], row[0]))
    if not rows:
        return None
    rows = rows[:_MOST_BARS]
    texts = [formats.compact(value) for _, value in rows]
    bars = _bars(
        [value for _, value in rows], unit, colour, [f"{formats.count(value)} {unit}" for _, value in rows], texts
    )
    return _horizontal([bars], [name for name, _ in rows], _axis(showticklabels=False, showgrid=False), texts=True)


def dedup_curve(curve: Sequence[Mapping[str, Any]], reference: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Share of documents removed against the number of dumps deduplicated together, beside the published curve."""
    points = [point for point in curve if point["share"] is not None]
    if not points:
        return None
    dot = 9 if len(points) <= 20 else 5
    published = {
        "type": "scatter",
        "name": "DeepSeek LLM, Common Crawl",
        "mode": "lines+markers",
        "x": [point["dumps"] for point in reference],
        "y": [point["share"] for point in reference],
        "line": {"color": BEFORE, "width": 2, "dash": "dot"},
        "marker": {"color": BEFORE, "size": 7},
        "hovertemplate": "<b>%{x} dumps together</b><br>%{y:.1%} removed<extra>DeepSeek LLM</extra>",
    }
    together = {
        "type": "scatter",
        "name": "this corpus",
        "mode": "lines+markers",
        "x": [point["dumps"] for point in points],
        "y": [point["share"] for point in points],
        "line": {"color": REMOVED, "width": 3},
        "marker": {"color": REMOVED, "size": dot},
        "customdata": [
            [label(point["dump"]), formats.count(point["removed"]), formats.count(point["documents"])]
            for point in points
        ],
        "hovertemplate": "<b>%{x} together, up to %{customdata[0]}</b><br>%{y:.1%} removed: %{customdata[1]} of "
        "%{customdata[2]} documents<extra></extra>",
    }
    single = [point for point in points if point["alone_share"] is not None]
    alone = {
        "type": "scatter",
        "name": "each dump by itself",
        "mode": "markers",
        "x": [point["dumps"] for point in single],
        "y": [point["alone_share"] for point in single],
        "marker": {"color": "var(--surface)", "size": dot, "line": {"color": REMOVED, "width": 2 if dot > 5 else 1}},
        "customdata": [[label(point["dump"])] for point in single],
        "hovertemplate": "<b>%{customdata[0]} by itself</b><br>%{y:.1%} removed<extra></extra>",
    }
    most = max([point["dumps"] for point in (*points, *reference)])
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if tick <= most * 1.2]
    x = _axis("dumps deduplicated together", type="log", tickvals=ticks, ticktext=[str(tick) for tick in ticks])
    y = _axis("documents removed", range=[0, 1], tickformat=".0%", dtick=0.2)
    return _figure([published, together, *([alone] if single else [])], 400, x, y, legend=True)


def overlap(dumps: Sequence[str], matrix: Sequence[Sequence[int]]) -> Figure | None:
    """Documents of one dump (row) that also have a copy in another (column)."""
    if len(dumps) < 2 or not any(matrix[i][j] for i in range(len(matrix)) for j in range(len(matrix[i])) if i != j):
        return None
    names = [label(dump, 24) for dump in dumps]
    values = [[None if i == j else value for j, value in enumerate(row)] for i, row in enumerate(matrix)]
    heat = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": values,
        "colorscale": HEAT,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickformat": "~s", "len": 1},
        "hovertemplate": "%{z:,} documents of <b>%{y}</b><br>have a copy in <b>%{x}</b><extra></extra>",
    }
    if len(dumps) <= 8:
        heat |= {"texttemplate": "%{z:.3~s}", "showscale": False}
    y = _axis(type="category", autorange="reversed", showgrid=False, ticklabelstandoff=6)
    return _figure([heat], max(280, min(640, 44 * len(dumps) + 90)), _axis(type="category", showgrid=False), y)


def cluster_sizes(sizes: Sequence[Sequence[int]]) -> Figure | None:
    """How many clusters have how many documents, both axes logarithmic."""
    points = sorted((size, clusters) for size, clusters in sizes if size > 0 and clusters > 0)
    if not points:
        return None
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [size for size, _ in points],
        "y": [clusters for _, clusters in points],
        "marker": {"color": REMOVED, "size": 7},
        "hovertemplate": "%{y:,} clusters of %{x:,} documents<extra></extra>",
    }
    return _figure(
        [dots],
        320,
        _axis("documents in the cluster", type="log", dtick="D2" if points[-1][0] < 100 else 1, tickformat="~s"),
        _axis("clusters", type="log", dtick=1, tickformat="~s"),
    )


def pair_similarity(samples: Sequence[Mapping[str, Any]], threshold: float | None) -> Figure | None:
    """Sampled candidate pairs by estimated similarity, and the threshold."""
    values = [pair["jaccard"] for pair in samples if pair["jaccard"] is not None]
    if len(values) < 10 or max(values) - min(values) < 0.1:  # a sample taken around the threshold has no shape to show
        return None
    bars = {
        "type": "histogram",
        "x": values,
        "xbins": {"start": 0, "end": 1.0001, "size": 0.025},
        "marker": {"color": KEPT, "line": {"color": "var(--surface)", "width": 1}},
        "hovertemplate": "%{y} sampled pairs at %{x}<extra></extra>",
    }
    lowest = min(0.5, *values, threshold if threshold is not None else 1)
    x = _axis("estimated Jaccard similarity", range=[max(0, lowest - 0.05), 1.02], tickformat=".2~f")
    drawn = _figure([bars], 260, x, _axis("sampled pairs", rangemode="tozero"))
    drawn["layout"] |= {"bargap": 0.04}
    if threshold is not None:
        drawn["layout"]["margin"]["t"] = 28
        line = {"color": MARK, "width": 2, "dash": "dash"}
        drawn["layout"]["shapes"] = [
            {"type": "line", "x0": threshold, "x1": threshold, "yref": "paper", "y0": 0, "y1": 1, "line": line}
        ]
        drawn["layout"]["annotations"] = [
            {
                "x": threshold,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "text": f"threshold {threshold:g}",
                "showarrow": False,
            }
        ]
    return drawn


def filter_funnel(rules: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Documents each rule removes: all that fail it, and those it is the first to remove."""
    if not rules:
        return None
    removed = _bars(
        [rule["documents"] for rule in rules],
        "removed first by this rule",
        REMOVED,
        [f"{formats.count(rule['documents'])} documents removed first by this rule" for rule in rules],
    )
    failing = _bars(
        [rule["failing"] for rule in rules],
        "fail it at all",
        REMOVED_SOFT,
        [f"{formats.count(rule['failing'])} documents fail it at all" for rule in rules],
    )
    drawn = _horizontal([failing, removed], [rule["rule"] for rule in rules], _axis(tickformat="~s"), legend=True)
    drawn["layout"]["barmode"] = "overlay"
    drawn["layout"]["legend"]["traceorder"] = "reversed"
    return drawn


def shares_before_after(rows: Mapping[str, Mapping[str, Any]], after: str = "after mixing") -> Figure | None:
    """Shares of bytes before and after, and the target where one was asked for; the largest first."""
    if not rows:
        return None
    ordered = sorted(rows.items(), key=lambda row: (-(row[1].get("after") or 0), -(row[1].get("before") or 0), row[0]))
    ordered = ordered[:_MOST_BARS]
    names = [name for name, _ in ordered]
    traces = [
        _bars(
            [share.get(field) for _, share in ordered],
            title,
            colour,
            [f"{formats.share(share.get(field))} {title}" for _, share in ordered],
        )
        for field, title, colour in (("before", "before", BEFORE), ("after", after, KEPT))
    ]
    targets = [(index, share["target"]) for index, (_, share) in enumerate(ordered) if share.get("target") is not None]
    if targets:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "target",
                "x": [target for _, target in targets],
                "y": [index for index, _ in targets],
                "marker": {"symbol": "line-ns-open", "size": 24, "color": MARK, "line": {"color": MARK, "width": 3}},
                "customdata": [formats.share(target) for _, target in targets],
                "hovertemplate": "target %{customdata}<extra></extra>",
            }
        )
    drawn = _horizontal(traces, names, _axis(tickformat=".0%", rangemode="tozero"), legend=True, row=44)
    drawn["layout"]["barmode"] = "group"
    return drawn


def epochs(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    """How often each cell of source and language is repeated."""
    sources = sorted({cell["source"] for cell in cells})
    size = {cell["language"]: 0 for cell in cells}
    for cell in cells:
        size[cell["language"]] += cell["bytes_after"]
    languages = sorted(size, key=lambda language: (-size[language], str(language)))[:_MOST_BARS]
    if len(sources) < 2 or len(languages) < 2:
        return None
    by_cell = {(cell["source"], cell["language"]): cell["epochs"] for cell in cells}
    values = [[by_cell.get((source, language)) for language in languages] for source in sources]
    heat = {
        "type": "heatmap",
        "x": [label(language or "unknown", 24) for language in languages],
        "y": [label(source, 24) for source in sources],
        "z": values,
        "colorscale": HEAT,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "texttemplate": "%{z:.2~f}×",
        "showscale": False,
        "hovertemplate": "<b>%{y}, %{x}</b><br>repeated %{z:.3~f} times<extra></extra>",
    }
    y = _axis(type="category", autorange="reversed", showgrid=False, ticklabelstandoff=6)
    return _figure([heat], 44 * len(sources) + 100, _axis(type="category", showgrid=False), y)


def compression(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Bytes of text a token stands for, by language."""
    shown = sorted((row for row in rows if row["bytes_per_token"]), key=lambda row: -row["bytes_per_token"])[
        :_MOST_BARS
    ]
    if not shown:
        return None
    texts = [formats.number(row["bytes_per_token"]) for row in shown]
    hovers = [
        f"{text} bytes a token<br>{formats.size(row['bytes'])} in {formats.compact(row['tokens'])} tokens"
        for text, row in zip(texts, shown)
    ]
    bars = _bars([row["bytes_per_token"] for row in shown], "bytes a token", KEPT, hovers, texts)
    return _horizontal(
        [bars], [row["language"] for row in shown], _axis(showticklabels=False, showgrid=False), texts=True
    )


def stage_seconds(stages: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Time each stage took."""
    return _stage_bars(stages, "seconds", formats.duration, BEFORE)


def stage_rates(stages: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Text each stage read in a second."""
    return _stage_bars(stages, "bytes_per_second", formats.rate, KEPT)


def _stage_bars(stages: Sequence[Mapping[str, Any]], field: str, format: Any, colour: str) -> Figure | None:
    shown = [stage for stage in stages if stage.get(field) is not None]
    if not shown:
        return None
    texts = [format(stage[field]) for stage in shown]
    bars = _bars([stage[field] for stage in shown], field, colour, texts, texts)
    return _horizontal(
        [bars], [stage["stage"] for stage in shown], _axis(showticklabels=False, showgrid=False), texts=True
    )


def training_curve(runs: Sequence[Mapping[str, Any]], metric: str, title: str, validation: str = "") -> Figure | None:
    """A metric of every training run against the tokens seen, or the step where a run did not note its tokens."""
    traces: list[Figure] = []
    by_tokens = all(row["tokens"] is not None for run in runs for row in run["steps"])
    for run, colour in zip(runs, SERIES * (1 + len(runs) // len(SERIES))):
        rows = [row for row in run["steps"] if row[metric] is not None]
        if rows:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": label(run["name"], 24),
                    "x": [row["tokens" if by_tokens else "step"] for row in rows],
                    "y": [row[metric] for row in rows],
                    "line": {"color": colour, "width": 2},
                    "customdata": [row["step"] for row in rows],
                    "hovertemplate": "step %{customdata:,}: %{y:.4~g}",
                }
            )
        tokens = {row["step"]: row["tokens"] for row in run["steps"]}
        checks = [row for row in run["validations"] if validation and (not by_tokens or row["step"] in tokens)]
        if checks:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": label(run["name"], 24) + " · validation",
                    "x": [tokens[row["step"]] if by_tokens else row["step"] for row in checks],
                    "y": [row[validation] for row in checks],
                    "line": {"color": MARK, "width": 2, "dash": "dot"},
                    "marker": {"color": colour, "size": 8},
                    "customdata": [row["step"] for row in checks],
                    "hovertemplate": "step %{customdata:,}: %{y:.4~g}",
                }
            )
    if not traces:
        return None
    x = _axis("tokens seen" if by_tokens else "step", tickformat="~s", rangemode="tozero")
    y = _axis(title, tickformat="~e" if metric == "learning_rate" else "")
    return _figure(traces, 320, x, y, legend=len(traces) > 1)


def _bars(
    values: Sequence[Any], name: str, colour: Any, hovers: Sequence[str], texts: Sequence[str] | None = None
) -> Figure:
    """A horizontal bar for each value, at y = 0, 1, …; hover texts in full, optionally a text at the bar's end."""
    trace: Figure = {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": list(values),
        "y": list(range(len(values))),
        "marker": {"color": colour},
        "customdata": list(hovers),
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    if texts is not None:
        trace |= {"text": list(texts), "textposition": "outside", "cliponaxis": False, "textangle": 0}
    return trace


def _horizontal(
    traces: list[Figure], names: Sequence[str], x: Figure, legend: bool = False, texts: bool = False, row: int = _ROW
) -> Figure:
    """Horizontal bars under their names. Positions are numbers, so that two names shown alike stay two bars."""
    labels = [label(name) for name in names]
    for trace in traces:
        if trace["type"] == "bar":
            trace["customdata"] = [
                f"<b>{label(name, 120)}</b><br>{hover}" for name, hover in zip(names, trace["customdata"])
            ]
    y = _axis(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.5, -0.5],
        showgrid=False,
        ticklabelstandoff=6,
    )
    height = row * len(labels) + (_LEGEND if legend else 8) + (8 if texts else _AXIS)
    drawn = _figure(traces, height, x, y, legend=legend)
    if texts:  # room for the text that stands right of the longest bar
        longest = max((value for trace in traces for value in trace["x"] if value is not None), default=0)
        drawn["layout"]["xaxis"]["range"] = [0, (longest or 1) * 1.35]
    drawn["layout"]["margin"]["b"] = 8 if texts else _AXIS
    drawn["layout"]["meta"] = {"rows": labels}  # on a narrow screen the page puts these above their bars
    return drawn


def _figure(traces: list[Figure], height: int, x: Figure, y: Figure, legend: bool = False) -> Figure:
    layout = {
        "height": height,
        "margin": {"l": 8, "r": 16, "t": _LEGEND if legend else 12, "b": _AXIS + (20 if "title" in x else 0)},
        "xaxis": x,
        "yaxis": y,
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "itemsizing": "constant",
        },
        "bargap": 0.35,
        "bargroupgap": 0.08,
        "hovermode": "closest",
    }
    return {"data": traces, "layout": layout}


def _axis(title: str | None = None, **settings: Any) -> Figure:
    axis: Figure = {
        "automargin": True,
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "",
        "fixedrange": False,
        "tickfont": {"color": MUTED},
    }
    if title:
        axis["title"] = {"text": title, "font": {"color": MUTED, "size": 12}}
    return axis | settings
