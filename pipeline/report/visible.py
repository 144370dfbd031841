"""Text from a crawl made safe to look at: what cannot be seen or would disturb the line is shown by name."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "␡"}


def visible(text: object) -> str:
    """Text whose control, format, private and unassigned characters are shown instead of obeyed.

    A direction override in a URL would otherwise reorder the line around it, and a zero-width space hide in it. C0
    controls become their control pictures (``␊``), others their code point (``⟨U+202E⟩``). Joiners stay: several
    scripts need them.
    """
    plain = str(text)
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(
        character
        if character in "\u200c\u200d" or unicodedata.category(character) not in _HIDDEN
        else _PICTURES.get(ord(character), f"⟨U+{ord(character):04X}⟩")
        for character in plain
    )


def visible_lines(text: str, end: str = "\n") -> str:
    """The same for text of several lines, whose ends are kept, or shown as ``end``."""
    return end.join(visible(line) for line in text.split("\n"))
