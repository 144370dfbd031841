"""The trainer runs with torch, numpy and pyarrow alone: a training machine need not have the pipeline's libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_training_imports_nothing_of_the_pipeline() -> None:
    code = """
import sys
before = set(sys.modules)
import training.trainer, training.evaluate, training.generate, training.huggingface
heavy = "apache_beam numba pydantic yaml typer rich transformers tokenizers fasttext fastwarc plotly".split()
ours = {"pipeline", "dedup", "filters", "text"}
print(sorted(m for m in sys.modules if m.split(".")[0] in {*heavy, *ours}))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_command_line_starts_without_torch() -> None:
    code = "import sys; import training.cli; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
