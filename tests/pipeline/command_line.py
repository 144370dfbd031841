"""Running `gristmill` as a person does: in a process of its own, from a folder, with or without a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import yaml

PROGRAM = str(Path(sys.executable).parent / "gristmill")
ESCAPE = re.compile(r"\x1b[\[\]()][0-9;?]*[A-Za-z]?")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
VOCABULARY = 600


class Said(NamedTuple):
    """Exit code and what was printed."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines that begin with `error:`, without it."""
        return [line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")]


def environment(**more: str) -> dict[str, str]:
    """The environment without what would change the looks or the language of messages."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "LINES")}
    return kept | {"TERM": "xterm-256color"} | more


def gristmill(*arguments: object, folder: Path | None = None, text: str | None = None, **more: str) -> Said:
    """Runs the program off any terminal, to its end."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], cwd=folder, input=text, capture_output=True, text=True, timeout=300,
        env=environment(**more), check=False,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def gristmills(calls: list[tuple[object, ...]], folder: Path | None = None) -> list[Said]:
    """Runs several calls side by side; the same order back."""
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(lambda call: gristmill(*call, folder=folder), calls))


def start(*arguments: object, folder: Path | None = None) -> subprocess.Popen[str]:
    """Starts the program off any terminal."""
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(),
    )  # fmt: skip


def on_a_terminal(*arguments: object, folder: Path | None = None, **more: str) -> Said:
    """Runs the program with a terminal of 140 columns for stderr; stdout goes to a pipe."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    process = subprocess.Popen(
        [PROGRAM, *map(str, arguments)], cwd=folder, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs,
        env=environment(**more),
    )  # fmt: skip
    os.close(theirs)
    seen: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(ours, 1 << 16):
                seen.append(data)
        except OSError:  # the other end is closed: that is how a terminal ends
            pass

    reader = threading.Thread(target=read)
    reader.start()
    out, _ = process.communicate(timeout=300)
    reader.join()
    os.close(ours)
    return Said(process.returncode, out.decode(), b"".join(seen).decode())


class Finished(NamedTuple):
    """A sample crawl of two dumps and an undisturbed run on it, which had a terminal."""

    folder: Path
    sample: Said
    run: Said

    @property
    def config(self) -> Path:
        """Its corpus.yaml."""
        return self.folder / "corpus.yaml"

    @property
    def output(self) -> Path:
        """Its output folder."""
        return self.folder / "corpus"


_finished: list[Finished] = []


def finished(tmp_path_factory) -> Finished:
    """Made once a session, for every test that asks."""
    if not _finished:
        folder = tmp_path_factory.mktemp("sample") / "crawl"
        sample = gristmill("sample", folder, "--dumps", 2, "--pages", 60)
        assert sample.code == 0, sample.err
        config = yaml.safe_load((folder / "corpus.yaml").read_text())
        config["tokenizer"]["vocabulary"] = VOCABULARY
        (folder / "corpus.yaml").write_text(yaml.safe_dump(config))
        run = on_a_terminal("run", folder / "corpus.yaml", "--workers", 2)
        assert run.code == 0, run.err
        _finished.append(Finished(folder, sample, run))
    return _finished[0]


def another_output(made: Finished, folder: Path, **changes: object) -> tuple[Path, Path]:
    """A config over the same crawl with an output folder of its own: (config, output). ``changes``: top-level keys."""
    config = yaml.safe_load(made.config.read_text())
    for source in config["sources"]:
        source["paths"] = [str(made.folder / path) for path in source["paths"]]
    config |= {"output": str(folder / "out")} | changes
    path = folder / "corpus.yaml"
    path.write_text(yaml.safe_dump(config))
    return path, folder / "out"


def a_copy(made: Finished, folder: Path) -> Path:
    """A copy of the finished output, to be damaged."""
    return Path(shutil.copytree(made.output, folder / "copy"))
