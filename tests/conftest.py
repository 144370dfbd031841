"""Settings and paths that all tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

# Kernels compile on first use, which is no reason to fail; the same examples every time, because outputs are promised.
settings.register_profile("gristmill", deadline=None, derandomize=True)
settings.load_profile("gristmill")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real crawl files that lies beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real crawl files are not beside this checkout ({SHARED_DATA.parent.name}/{SHARED_DATA.name})")
    return SHARED_DATA
