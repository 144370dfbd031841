"""What the packages raise, as exit codes: a file that is not there is wrong usage, what it holds is a failure."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


def there(path: Path) -> Path:
    """The path, if something lies at it.

    Raises:
        ConfigError: nothing does; names what is near.
    """
    from pipeline.config import nearest
    from pipeline.errors import ConfigError

    if not path.exists():
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = nearest(path.name, beside)
        raise ConfigError(f"{path}: there is no such file or folder" + (f"; {hint}" if hint.startswith("did") else ""))
    return path


@contextlib.contextmanager
def as_one_line() -> Iterator[None]:
    """Turns what a package raises into the error of the command line."""
    from pipeline.errors import ConfigError, GristmillError

    try:
        yield
    except FileNotFoundError as error:
        message = f"{error.filename}: there is no such file or folder" if error.errno == errno.ENOENT else str(error)
        raise ConfigError(message) from error
    except ValueError as error:
        raise GristmillError(str(error)) from error
