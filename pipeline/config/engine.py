"""The section `engine`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.section import Section


class Engine(Section):
    """Where the jobs run."""

    name: Literal["direct", "spark", "flink", "dataflow"] = Field(
        default="direct", description="The engine; direct is this machine."
    )
    workers: int = Field(default=0, ge=0, le=1024, description="Workers of the direct engine; 0 means one a core.")
    options: list[str] = Field(default=[], description="Further options for Beam, as on its command line.")
