"""The pages in other languages: sentences of `phrases.yaml` about modules, characters and dates, facts filled in.

The standard library ships almost no localised text, so the sentences are the project's own; what they say about a
module, a character or a day is looked up in the module itself, in `unicodedata` and in `calendar`.
"""

import calendar
import datetime
import random
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import yaml

from pipeline.sample.pages import Page, module_outlines

ASIDE = 6  # sentences on a second subject, after one of every kind on the first
PARAGRAPH = 4  # sentences
OPENER_SHARE = 0.45  # of the sentences begin with a phrase such as "In addition,"

Facts = dict[str, Any]


@cache
def phrases() -> dict[str, dict[str, Any]]:
    """Language → its site's name, sentences and words (see the head of `phrases.yaml`)."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("phrases.yaml").read_text("utf-8"))
    return loaded


def translated_pages(language: str, count: int, rng: random.Random) -> list[Page]:
    """`count` pages in one language: half about modules, the others about characters and about years in turn."""
    words = phrases()[language]
    kinds = ("module", "character", "module", "calendar")
    return [_page(language, words, kinds[number % len(kinds)], number, rng) for number in range(count)]


def _page(language: str, words: dict[str, Any], kind: str, number: int, rng: random.Random) -> Page:
    # No sentence twice on a page: repetition is what filters take pages out for.
    openers = words["openers"].splitlines()
    rng.shuffle(openers)
    title, main = _section(words, kind, None, openers, rng)
    aside_title, aside = _section(words, rng.choice([other for other in _FACTS if other != kind]), ASIDE, openers, rng)
    content = f"<h1>{title}</h1>\n{main}<h2>{aside_title}</h2>\n{aside}"
    return Page(f"{kind}/{number:04d}.html", title, language, content)


def _section(
    words: dict[str, Any], kind: str, count: int | None, openers: list[str], rng: random.Random
) -> tuple[str, str]:
    """A subject's title and its paragraphs; uses up `openers`."""
    facts, subject = _FACTS[kind](words, rng)
    templates = words[kind].splitlines()
    rng.shuffle(templates)
    sentences = [_sentence(template.format(**next(facts)), words, openers, rng) for template in templates[:count]]
    paragraphs = [words["joiner"].join(sentences[at : at + PARAGRAPH]) for at in range(0, len(sentences), PARAGRAPH)]
    return escape(words["titles"][kind].format(subject)), "".join(f"<p>{escape(text)}</p>\n" for text in paragraphs)


def _sentence(sentence: str, words: dict[str, Any], openers: list[str], rng: random.Random) -> str:
    if not openers or rng.random() >= OPENER_SHARE:
        return sentence[0].upper() + sentence[1:]
    return str(openers.pop() + words["joiner"] + sentence)


def _module_facts(words: dict[str, Any], rng: random.Random) -> tuple[Iterator[Facts], str]:
    rich = [module for module in module_outlines() if len(module["functions"]) > 3 and len(module["classes"]) > 1]
    module = rng.choice(rich)

    def facts() -> Iterator[Facts]:
        while True:
            function, parameters = rng.choice([f for f in module["functions"] if f[1]] or module["functions"])
            class_name, methods = rng.choice([c for c in module["classes"] if c[1]] or module["classes"])
            join = words["separator"].join
            yield {
                "module": module["name"],
                "functions": len(module["functions"]),
                "classes": len(module["classes"]),
                "words": module["words"],
                "other": rng.choice(rich)["name"],
                "function": function,
                "count": len(parameters),
                "parameters": join(parameters[:4]) or "self",
                "class_name": class_name,
                "number": len(methods),
                "methods": join(rng.sample(methods, min(3, len(methods)))) or "__init__",
            }

    return facts(), module["name"]


def _character_facts(words: dict[str, Any], rng: random.Random) -> tuple[Iterator[Facts], str]:
    named = [
        chr(code)
        for first, last in words["characters"]
        for code in range(first, last + 1)
        if unicodedata.name(chr(code), "")
    ]
    start = rng.randrange(len(named))

    def facts() -> Iterator[Facts]:
        at = start
        while True:
            character, following = named[at % len(named)], named[(at + 1) % len(named)]
            if following < character:  # the run ends here; sentences speak of "the next one"
                at += 1
                continue
            encoded = character.encode()
            category = unicodedata.category(character)
            yield {
                "char": character,
                "code": f"U+{ord(character):04X}",
                "decimal": ord(character),
                "name": unicodedata.name(character),
                "category": words["categories"].get(category, words["categories"]["other"]),
                "bytes": encoded.hex(" ").upper(),
                "length": len(encoded),
                "next": following,
                "next_code": f"U+{ord(following):04X}",
            }
            at += 1 + rng.randrange(3)

    return facts(), named[start]


def _calendar_facts(words: dict[str, Any], rng: random.Random) -> tuple[Iterator[Facts], str]:
    year = rng.randrange(1900, 2100)

    def facts() -> Iterator[Facts]:
        while True:
            date = datetime.date(year, 1, 1) + datetime.timedelta(days=rng.randrange(365))
            weeks = calendar.monthcalendar(year, date.month)
            ordinal = date.timetuple().tm_yday
            yield {
                "day": date.day,
                "month": words["months"][date.month - 1],
                "year": year,
                "weekday": words["weekdays"][date.weekday()],
                "days": calendar.monthrange(year, date.month)[1],
                "ordinal": ordinal,
                "left": (366 if calendar.isleap(year) else 365) - ordinal,
                "week": date.isocalendar()[1],
                "sundays": sum(week[calendar.SUNDAY] > 0 for week in weeks),
            }

    return facts(), str(year)


_FACTS: dict[str, Callable[[dict[str, Any], random.Random], tuple[Iterator[Facts], str]]] = {
    "module": _module_facts,
    "character": _character_facts,
    "calendar": _calendar_facts,
}
