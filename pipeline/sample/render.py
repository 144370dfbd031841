"""The English pages of the sample: what `pydoc` renders for Python's own standard library, as one JSON object.

Run as a script in a bare interpreter (`python -I -S render.py`), because libraries that a process has imported patch
functions and add methods to standard classes, and the sample must be the same whatever else is loaded. Only the
standard library is imported here.

A page is one class, or the functions and small classes of one module, or a part of one of the language reference's
topics that `pydoc` carries. The rendering is pydoc's own HTML with four differences: wrapped prose is joined into
paragraphs and set with ordinary spaces (as a web site shows it), values of data are left out (they may hold this
machine's environment), doubly escaped signatures are mended, and what differs between two runs of one Python
(addresses, installation paths, the order of a set) is taken out.
"""

import html
import importlib
import inspect
import json
import os
import pydoc
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

# Modules that open nothing, print nothing and need no display when imported. What this Python lacks is passed over.
MODULES = """
abc argparse array ast asyncio.base_events asyncio.events asyncio.futures asyncio.locks
asyncio.queues asyncio.runners asyncio.streams asyncio.subprocess asyncio.taskgroups asyncio.tasks
asyncio.timeouts asyncio.transports atexit base64 bdb binascii bisect builtins bz2 calendar cmath
cmd code codecs codeop collections collections.abc colorsys compileall concurrent.futures
concurrent.futures.process concurrent.futures.thread configparser contextlib contextvars copy
copyreg csv ctypes ctypes.util dataclasses datetime dbm.dumb decimal difflib dis doctest email
email.charset email.contentmanager email.encoders email.errors email.generator email.header
email.headerregistry email.message email.mime.base email.parser email.policy email.utils enum errno
fcntl filecmp fileinput fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib
gzip hashlib heapq hmac html html.parser http http.client http.cookiejar http.cookies http.server
imaplib importlib importlib.abc importlib.machinery importlib.metadata importlib.resources
importlib.util inspect io ipaddress itertools json json.decoder json.encoder keyword linecache
locale logging logging.config logging.handlers lzma mailbox marshal math mimetypes mmap modulefinder
multiprocessing.connection multiprocessing.managers multiprocessing.pool multiprocessing.process
multiprocessing.queues multiprocessing.shared_memory netrc ntpath numbers operator optparse os
pathlib pdb pickle pickletools pkgutil platform plistlib poplib posixpath pprint profile pstats
py_compile pyclbr pydoc pyexpat queue quopri random re reprlib resource runpy sched secrets select
selectors shelve shlex shutil signal smtplib socket socketserver sqlite3 ssl stat statistics string
stringprep struct subprocess symtable sys sysconfig tabnanny tarfile tempfile termios textwrap
threading time timeit token tokenize tomllib trace traceback tracemalloc types typing unicodedata
unittest unittest.async_case unittest.case unittest.loader unittest.mock unittest.result
unittest.runner unittest.suite urllib.error urllib.parse urllib.request urllib.response
urllib.robotparser uuid venv warnings wave weakref webbrowser wsgiref.handlers wsgiref.headers
wsgiref.simple_server wsgiref.util wsgiref.validate xml.dom xml.dom.expatbuilder xml.dom.minidom
xml.dom.pulldom xml.etree.ElementTree xml.parsers.expat xml.sax xml.sax.expatreader xml.sax.handler
xml.sax.saxutils xml.sax.xmlreader xmlrpc.client xmlrpc.server zipapp zipfile zipimport zlib
zoneinfo
""".split()  # noqa: SIM905

# Bytes of HTML: a longer class has a page of its own; a page of functions, small classes or a topic is cut there.
CLASS_PAGE_CHARACTERS = 2_200
PAGE_CHARACTERS = 16_000

_ADDRESS = re.compile(r"(?: |&nbsp;)at(?: |&nbsp;)0x[0-9a-fA-F]+")
_SET = re.compile(r"(?<=frozenset\(\{)[^{}()]*(?=\}\))")
_SPACE = re.compile(r"(?<!&nbsp;)(?<!\n)&nbsp;(?!&nbsp;)")  # between two words, not an indent or a column
_ESCAPED_TWICE = re.compile(r"&amp;(?=(?:lt|gt|amp);)")  # pydoc escapes the signature of a class twice


@dataclass(frozen=True)
class RenderedPage:
    """One page's own content: HTML without the site around it."""

    path: str  #: where the site keeps it, without a leading slash
    title: str  #: HTML
    content: str  #: HTML; its entries are `<dl>…</dl>` and `<p>…</p>` elements, which are never nested


class _SiteDoc(pydoc.HTMLDoc):
    """pydoc's HTML as a web site shows it: prose in paragraphs, nothing of this machine or this process."""

    def markup(self, text: str, escape: Any = None, *symbols: Any) -> str:
        return str(super().markup(join_wrapped_lines(text) if escape else text, escape, *symbols))

    def docother(self, object: Any, name: str | None = None, mod: Any = None, *ignored: Any) -> str:
        # Values may be environments, paths or addresses; the name says that the attribute is there.
        return f"<strong>{name}</strong>" if name else ""

    def filelink(self, url: str, path: str) -> str:
        return ""


def join_wrapped_lines(text: str) -> str:
    """Join the lines of each paragraph of prose; lists, tables, examples and signatures keep their lines."""
    return "\n\n".join(_join(paragraph) for paragraph in text.split("\n\n"))


def _join(paragraph: str) -> str:
    lines = paragraph.split("\n")
    indents = {len(line) - len(line.lstrip()) for line in lines if line.strip()}
    is_prose = (
        len(lines) > 1
        and len(indents) == 1
        and all(len(line) > 45 for line in lines[:-1])
        and not any(re.match(r"\s*(>>>|\.\.\.|[-*+|=~#]|\d+[.)]\s)", line) or "   " in line.strip() for line in lines)
    )
    return " ".join(line.strip() for line in lines) if is_prose else paragraph


def pages() -> Iterator[RenderedPage]:
    """All pages: modules in the order of `MODULES`, then the topics by name."""
    for name in MODULES:
        if (module := load(name)) is not None:
            yield from _module_pages(module)
    for topic in sorted(_topics()):
        yield from _topic_pages(topic)


def outlines() -> Iterator[dict[str, Any]]:
    """What each module holds, for pages that tell about it in other languages: names, parameters, methods, counts."""
    for module_name in MODULES:
        if (module := load(module_name)) is not None:
            members = public_members(module)
            functions = [(name, _parameters(member)) for name, member in members if inspect.isroutine(member)]
            classes = [(name, _methods(member)) for name, member in members if inspect.isclass(member)]
            words = len((inspect.getdoc(module) or "").split())
            yield {"name": module_name, "functions": functions, "classes": classes, "words": words}


def _parameters(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return []


def _methods(owner: type) -> list[str]:
    return sorted(name for name, value in vars(owner).items() if not name.startswith("_") and callable(value))


def load(name: str) -> ModuleType | None:
    """Import one module of `MODULES`; None where this Python lacks it or cannot load it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except Exception:  # a build without the library behind a module, or a system that forbids what it does
            return None


def _topics() -> dict[str, str]:
    try:
        return importlib.import_module("pydoc_data.topics").topics
    except ImportError:  # some distributions keep it in another package
        return {}


def _module_pages(module: ModuleType) -> Iterator[RenderedPage]:
    doc = _SiteDoc()
    name = module.__name__
    gathered = [f"<h1>{name}</h1>\n", *_paragraphs(doc, inspect.getdoc(module) or "")]
    for member_name, member in public_members(module):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                content = sanitised(doc.document(member, member_name, name))
            except (
                Exception
            ):  # pydoc fails on a few descriptors in some versions; the page is then not part of the sample
                continue
        if inspect.isclass(member) and len(content) > CLASS_PAGE_CHARACTERS:
            title = f"{name}.{member_name}"
            yield RenderedPage(f"library/{title}.html", title, f"<h1>class {title}</h1>\n{content}")
        else:
            gathered.append(content)
    yield from _cut(f"library/{name}", name, gathered)


def _topic_pages(topic: str) -> Iterator[RenderedPage]:
    doc = _SiteDoc()
    text = _topics()[topic]
    yield from _cut(f"reference/{topic}", f"{topic} (language reference)", list(_paragraphs(doc, text)))


def _paragraphs(doc: pydoc.HTMLDoc, text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        if paragraph.strip():
            yield f"<p>{sanitised(doc.markup(paragraph.strip(chr(10)), doc.preformat))}</p>\n"


def _cut(path: str, title: str, blocks: list[str]) -> Iterator[RenderedPage]:
    part, size, number = [blocks[0]] if blocks else [], 0, 1
    for block in blocks[1:]:
        if size + len(block) > PAGE_CHARACTERS and part:
            yield _part(path, title, number, part)
            part, size, number = [], 0, number + 1
        part.append(block)
        size += len(block)
    if part:
        yield _part(path, title, number, part)


def _part(path: str, title: str, number: int, blocks: list[str]) -> RenderedPage:
    suffix = "" if number == 1 else f"-{number}"
    return RenderedPage(f"{path}{suffix}.html", html.escape(title + suffix.replace("-", ", part ")), "".join(blocks))


def public_members(module: ModuleType) -> list[tuple[str, Any]]:
    """Functions and classes of a module that are its own, by name; those it only imports belong to other pages."""
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    members = []
    for name in sorted(set(names)):
        member = getattr(module, name, None)
        if inspect.isclass(member) or inspect.isroutine(member):
            home = getattr(member, "__module__", None)
            # What the interpreter adds to builtins for its prompt (exit, help, copyright) is not the same everywhere.
            if home is not None and home != "_sitebuiltins" and (home == module.__name__ or name in pydoc_all(module)):
                members.append((name, member))
    return members


def pydoc_all(module: ModuleType) -> list[str]:
    """`__all__`, or nothing where the module has none."""
    return list(getattr(module, "__all__", []))


def sanitised(text: str) -> str:
    """Mend pydoc's escapes and take out what another run or machine with the same Python would write differently."""
    text = _ADDRESS.sub("", _SPACE.sub(" ", _ESCAPED_TWICE.sub("&", text)))
    text = _SET.sub(lambda match: ", ".join(sorted(match.group().split(", "))), text)
    for path in _INSTALLATION:
        text = text.replace(path, "/usr")
    return text


_INSTALLATION = sorted(
    {
        path
        for path in (
            sys.prefix,
            sys.base_prefix,
            sys.exec_prefix,
            sysconfig.get_path("stdlib"),
            os.path.expanduser("~"),
        )
        if path and path.count("/") + path.count("\\") >= 2
    },
    key=lambda path: (-len(path), path),
)


if __name__ == "__main__":
    json.dump({"pages": [asdict(page) for page in pages()], "modules": list(outlines())}, sys.stdout)
