"""``python -m pipeline.cli`` is ``gristmill``."""

from pipeline.cli import main

main()
