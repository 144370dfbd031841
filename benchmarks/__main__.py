"""All benchmarks at their small size, one table: `make bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NOT_BENCHMARKS = {"__init__", "__main__", "harness", "gpu", "novel_text", "dedup_training"}  # the last takes 15 minutes


def main() -> int:
    """Runs each script in a process of its own; 1 if any check was false."""
    worst = 0
    for script in sorted(Path(__file__).parent.glob("*.py")):
        if script.stem not in NOT_BENCHMARKS:
            print(f"\n{script.stem}", flush=True)
            worst = max(worst, subprocess.run([sys.executable, "-m", f"benchmarks.{script.stem}"]).returncode)
    return min(worst, 1)


if __name__ == "__main__":
    sys.exit(main())
