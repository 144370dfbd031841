"""What only a GPU can show: `make gpu` runs the tests marked `gpu`, then times a training step beside transformers.

Without a GPU it says so and exits 0.
"""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    """Runs the GPU tests and the GPU's benchmark of the trainer where torch finds a GPU."""
    try:
        import torch
    except ImportError:
        print("torch is not installed: nothing to run; pip install 'gristmill[train]'")
        return 0
    if not torch.cuda.is_available():
        print("torch finds no GPU here: nothing to run")
        return 0
    print(torch.cuda.get_device_name(), flush=True)
    commands = (["pytest", "-q", "-m", "gpu", "tests/training"], ["benchmarks.train_step", "--json"])
    return max(subprocess.run([sys.executable, "-m", *command]).returncode for command in commands)


if __name__ == "__main__":
    sys.exit(main())
