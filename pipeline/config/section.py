"""What every section of the configuration is made of."""

from __future__ import annotations

import difflib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]  # a compiled hash that has met a smaller one takes an int64
LARGEST_COUNT = 2**63 - 1  # int64


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


def nearest(name: str, known: list[str]) -> str:
    """A hint for a wrong name: the nearest valid one, or all of them."""
    near = difflib.get_close_matches(name, known, 1, 0.4)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known) or 'none'}"
