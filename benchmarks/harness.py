"""What the benchmarks share: the machine they ran on, rows of results, and the one JSON object at the end."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}
SNAPSHOTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "dumps"


def machine() -> dict[str, Any]:
    """Processor, cores, load at this moment, memory in GB and Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "memory_gb": round(memory, 1),
        "python": platform.python_version(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())


class Watch:
    """Keeps the seconds, the processor's seconds and the counts of each job of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.core_seconds: dict[str, float] = {}
        self.counts: dict[str, dict[str, int]] = {}

    def started(self, stage: str, job: str) -> None:
        """A job begins."""
        self.core_seconds[job] = -time.process_time()

    def finished(self, stage: str, job: str, manifest: dict[str, Any], seconds: float, ran: bool) -> None:
        """A job is done."""
        self.core_seconds[job] += time.process_time()
        self.seconds[job], self.counts[job] = round(seconds, 3), manifest.get("counts", {})


def parse_size(text: str) -> int:
    """Bytes from a number such as 300M."""
    return int(float(text[:-1]) * _UNITS[text[-1].upper()]) if text[-1].upper() in _UNITS else int(text)


def row(system: str, case: str, metric: str, value: float, unit: str) -> dict[str, Any]:
    """One row of the results."""
    return {"system": system, "case": case, "metric": metric, "value": round(float(value), 3), "unit": unit}


def against(targets: dict[str, float], measured: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Each target, what was measured, and whether that is enough; None where it was not measured."""
    return {
        name: {
            "target": target,
            "measured": measured.get(name),
            "met": measured[name] >= target if name in measured else None,
        }
        for name, target in targets.items()
    }


def finish(report: dict[str, Any], as_json: bool) -> int:
    """Prints a report, as one JSON line or as a table; the exit status is 1 when a check is false."""
    if as_json:
        print(json.dumps(report))
    else:
        for each in report["results"]:
            print(f"{each['system']:<22}{each['case']:<36}{each['value']:>12,.2f} {each['unit']}")
        for check, good in report["checks"].items():
            print(f"{'ok   ' if good else 'FALSE'} {check}")
        for name, each in report.get("targets", {}).items():
            met = {True: "met", False: "MISSED", None: "not measured"}[each["met"]]
            print(f"{met:<13}target {name}: {each['target']:g}, measured {each['measured']}")
        for note in report.get("notes", []):
            print(f"note  {note}")
    return 0 if all(report["checks"].values()) else 1
