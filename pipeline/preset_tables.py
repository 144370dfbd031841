"""The rule presets on a terminal: what each asks, why, and where it comes from."""

from __future__ import annotations

from rich.console import Console

from filters.presets import load_preset, preset_names
from pipeline.tables import show_table


def show_presets(console: Console | None = None) -> None:
    """Prints one line a preset that is shipped."""
    rows = []
    for name in preset_names():
        preset = load_preset(name)
        languages = ", ".join(preset.languages or ["all"])
        rows.append([name, languages, str(len(preset.rules)), "yes" if preset.lines else "", preset.source])
    headings = ["preset", "languages", "rules", "edits lines", "source"]
    show_table("rule presets", headings, rows, (), console, left=2, prose=True)


def show_preset(name: str, console: Console | None = None) -> None:
    """Prints the rules of a preset with their reasons, its line rules, its source and its divergences.

    Raises:
        ValueError: there is no such preset, or it is broken; see ``load_preset``.
    """
    preset, console = load_preset(name), console or Console(highlight=False)
    rows = [[rule.name, str(rule), rule.reason] for rule in preset.rules]
    show_table(f"preset {preset.name}", ["rule", "stays if", "reason for removal"], rows, (), console, left=3)
    if preset.lines:
        changed = [[f"lines.{field}", f"{value}"] for field, value in preset.lines.in_force()]
        show_table("line rules, which edit texts", ["rule", "set to"], changed, (), console, left=2)
    for title, texts in (("source", [preset.source]), ("divergences", preset.divergences)):
        for text in texts:
            console.print(f"{title}: {text}", markup=False, soft_wrap=True)
