"""The output folder of a corpus, as verbs that read it are told of it: by itself or by the corpus's YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[
    str, typer.Argument(metavar="OUTPUT_DIR", help="Output folder of a corpus, or its YAML.", show_default=False)
]


def folder_of(output: str) -> str:
    """The folder, which is there if it is a local one; for a remote one of a YAML its store is set up.

    Raises:
        ConfigError: there is no such folder, or the YAML is none.
    """
    from pipeline import storage
    from pipeline.config_file import load
    from pipeline.errors import ConfigError

    if output.endswith((".yaml", ".yml")):
        config = load(Path(output))
        output = config.output
        if not storage.is_local(output):
            from pipeline.runners import connect

            connect(config.engine)
    if storage.is_local(output) and not Path(output).is_dir():
        raise ConfigError(f"{output}: there is no such folder; give the `output` of a corpus")
    return output
