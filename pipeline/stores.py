"""Remote stores, ``s3://``, ``gs://`` and ``hdfs://``, through Beam's filesystems; failures told in one line."""

from __future__ import annotations

import contextlib
import copy
import errno
import functools
import importlib.util
import io
import itertools
import re
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from apache_beam.io.aws import s3io
from apache_beam.io.aws.clients.s3 import boto3_client
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, S3Options
from apache_beam.options.value_provider import RuntimeValueProvider

from pipeline.errors import ConfigError, GristmillError

_READ_AT_ONCE = 1 << 20
_BATCH = 1000  # files deleted with one request

# What a scheme needs: a module, how to get it, and where the store finds who is asking.
_STORES = {
    "s3": (
        "boto3",
        "pip install 'gristmill[aws]'",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, an AWS profile, or engine.options --s3_access_key_id=… "
        "--s3_secret_access_key=…",
    ),
    "gs": (
        "google.cloud.storage",
        "pip install 'gristmill[gcp]'",
        "GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`",
    ),
    "hdfs": ("hdfs", "pip install 'apache-beam[hadoop]'", "engine.options --hdfs_host=… --hdfs_port=… --hdfs_user=…"),
}


class StoreError(GristmillError, OSError):
    """A store refuses a request."""


class AccessDeniedError(StoreError, PermissionError):
    """A store knows the caller and says no, or does not know the caller."""


class UnreachableError(StoreError, ConnectionError):
    """A store did not answer: that says nothing about what lies in it."""


class Found(NamedTuple):
    """A file that lies in a store: its path, its size in bytes and when it was last written, in seconds since 1970."""

    path: str
    bytes: int
    updated: float


def connect(options: PipelineOptions) -> None:
    """Sets the options (endpoint, region, credentials, …) with which this process reaches the stores.

    Beam does this on its workers, and in the driver when a pipeline begins; planning is before that.
    """
    FileSystems.set_options(options)


def open_read(path: str) -> BinaryIO:
    """Opens a file for reading; seekable.

    Raises:
        FileNotFoundError, AccessDeniedError, UnreachableError, StoreError: while opening it or reading it.
    """
    with _telling(path):
        if s3 := _s3(path):
            raw = s3.io(path).open(path, "rb")
        else:
            raw = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return io.BufferedReader(_Stream(raw, path), _READ_AT_ONCE)


def create(path: str) -> BinaryIO:
    """Opens a file for writing; it is there once the file is closed. Raises like ``open_read``, until it is closed."""
    with _telling(path):
        if s3 := _s3(path):
            raw = s3.io(path).open(path, "wb")
        else:
            raw = FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return _Stream(raw, path)  # type: ignore[return-value]


def rename(source: str, target: str) -> None:
    """Renames a file within a store, over what may lie there."""
    with _telling(target):
        if s3 := _s3(source):
            _raise_first(error for _, _, error in s3.io(source).rename_files([(source, target)]))
        else:
            FileSystems.rename([source], [target])


def exists(path: str) -> bool:
    """Whether a file lies at the path."""
    with _telling(path):
        return bool(s3.io(path).exists(path) if (s3 := _s3(path)) else FileSystems.exists(path))


def delete(paths: list[str]) -> None:
    """Deletes files of one store; those that are not there are no error."""
    for begin in range(0, len(paths), _BATCH):
        batch = paths[begin : begin + _BATCH]
        with _telling(batch[0]):
            if s3 := _s3(batch[0]):
                _raise_first(error for _, error in s3.io(batch[0]).delete_files(batch))
            else:
                FileSystems.delete(batch)


def listed(prefix: str, most: int | None = None) -> list[Found]:
    """Files whose path begins with a prefix, ordered by path, ``most`` of them; none where there is no such folder."""
    try:
        found = _listed(prefix, most)
    except FileNotFoundError as error:  # a folder that is not there is empty
        if prefix.startswith("gs://"):
            raise ConfigError(f"{'/'.join(prefix.split('/')[:3])}: there is no such bucket") from error
        return []
    return sorted(found)


def _listed(prefix: str, most: int | None) -> list[Found]:
    with _telling(prefix):
        if s3 := _s3(prefix):
            files = s3.io(prefix).list_files(prefix, with_metadata=True)  # a generator over pages of 1,000
            return [Found(path, *about) for path, about in itertools.islice(files, most)]
        escaped = re.sub(r"[*?\[]", r"[\g<0>]", prefix)
        return [
            Found(file.path, file.size_in_bytes, file.last_updated_in_seconds)
            for match in FileSystems.match([f"{escaped}**"], [most])
            for file in match.metadata_list
        ]


class _Stream(io.RawIOBase):
    """A file of Beam's whose failures are told in plain words."""

    def __init__(self, file: Any, path: str):
        self._file = file
        self._path = path

    def readable(self) -> bool:
        return bool(self._file.readable())

    def writable(self) -> bool:
        return bool(self._file.writable())

    def seekable(self) -> bool:
        return self.readable()

    def tell(self) -> int:
        return int(self._file.tell())

    def seek(self, offset: int, whence: int = 0) -> int:
        with _telling(self._path):
            self._file.seek(offset, whence)
            return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        with _telling(self._path):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        with _telling(self._path):
            self._file.write(data)
        return memoryview(data).nbytes

    def close(self) -> None:
        if not self.closed:
            super().close()
            with _telling(self._path):
                self._file.close()


class _S3:
    """Beam's calls to S3 over one client: it makes a new one for every call, which costs 0.14 s of a core each."""

    def __init__(self, options: Any):
        self.options = options
        self._client = boto3_client.Client(options=options)
        self._checked: set[str] = set()

    def io(self, path: str) -> s3io.S3IO:
        """Calls for one file: the connections are shared, the place in a download is its own.

        Raises:
            ConfigError: there is no such bucket.
            AccessDeniedError, UnreachableError: found out at once, where Beam would try again for ten minutes.
        """
        bucket, _ = s3io.parse_s3_path(path, object_optional=True)
        if bucket not in self._checked:
            self._check(bucket)
            self._checked.add(bucket)
        return s3io.S3IO(client=copy.copy(self._client))

    def _check(self, bucket: str) -> None:
        from botocore import exceptions

        where = f"s3://{bucket}"
        try:
            self._client.client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except exceptions.ParamValidationError as error:
            raise ConfigError(f"{where}: `{bucket}` cannot be the name of a bucket") from error
        except exceptions.ClientError as error:
            told = error.response.get("Error", {})
            code, status = told.get("Code", ""), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code == "NoSuchBucket" or status == 404:
                raise ConfigError(f"{where}: there is no such bucket") from error
            if code == "AccessDenied":  # to list is not allowed; to read or write may be
                return
            if status in (400, 401, 403):
                raise AccessDeniedError(
                    f"{where}: access denied ({code}: {told.get('Message', '')}); check {_STORES['s3'][2]}"
                ) from error
            raise UnreachableError(f"{where}: the store fails ({error}); try again later") from error
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
            raise AccessDeniedError(f"{where}: there are no credentials; set {_STORES['s3'][2]}") from error
        except exceptions.BotoCoreError as error:
            raise UnreachableError(
                f"{where}: the store cannot be reached ({_one_line(error)}); check the network, AWS_ENDPOINT_URL or "
                "engine.options --s3_endpoint_url=…"
            ) from error


_lock = threading.Lock()
_shared: _S3 | None = None


def _s3(path: str) -> _S3 | None:
    """The shared connection for an S3 path; None for another store's, once it is known to be usable."""
    scheme = path.split("://")[0]
    _require(scheme, path)
    options = FileSystems._pipeline_options or RuntimeValueProvider.runtime_options
    if options is None:  # nothing was configured: the environment decides
        options = PipelineOptions([])
        connect(options)
    if scheme != "s3":
        return None
    global _shared
    with _lock:
        if _shared is None or (_shared.options is not options and _s3_options(_shared.options) != _s3_options(options)):
            _shared = _S3(options)
        _shared.options = options
        return _shared


def _s3_options(options: Any) -> Any:
    """What of Beam's options concerns S3, to compare; a worker may have all of them as a dict."""
    if not isinstance(options, PipelineOptions):
        return options
    names = "access_key_id secret_access_key session_token endpoint_url region_name api_version verify disable_ssl"
    view = options.view_as(S3Options)
    return [getattr(view, f"s3_{name}") for name in names.split()]


def _require(scheme: str, path: str) -> None:
    """Refuses a store that this installation cannot talk to."""
    if scheme not in _STORES:
        known = ", ".join(f"{name}://" for name in _STORES)
        raise ConfigError(
            f"{path}: `{scheme}://` is no store that is known; there are {known} and, for input, https://"
        )
    module, remedy, _ = _STORES[scheme]
    if not _installed(module):
        raise GristmillError(f"{path}: {scheme}:// needs {module}, which is not installed: {remedy}")


@functools.cache
def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent is missing
        return False


def _raise_first(errors: Iterator[Exception | None]) -> None:
    for error in errors:
        if error is not None:
            raise error


@contextlib.contextmanager
def _telling(path: str) -> Iterator[None]:
    """Around nothing but calls of the store: what they raise comes out as an error that says what to do."""
    try:
        yield
    except GristmillError:
        raise
    except Exception as error:  # three vendors' libraries, each with a tree of its own
        raise _told(error, path) from error


def _told(error: Exception, path: str) -> Exception:
    while isinstance(error, BeamIOError) and error.exception_details:
        error = next(iter(error.exception_details.values()))
    if isinstance(error, GristmillError):
        return error
    code = getattr(error, "code", None)
    if isinstance(error, FileNotFoundError) or code in (404, "NoSuchKey"):
        return FileNotFoundError(errno.ENOENT, "there is no such file", path)
    if code in (401, 403, "AccessDenied"):
        return AccessDeniedError(
            f"{path}: access denied ({_one_line(error)}); check {_STORES[path.split('://')[0]][2]}"
        )
    if isinstance(error, ValueError):
        return ConfigError(f"{path}: {_one_line(error)}")
    if isinstance(code, int) and 400 <= code < 500 and code not in (408, 429):
        return StoreError(f"{path}: {_one_line(error)}")
    return UnreachableError(f"{path}: the store fails ({_one_line(error)}); run again to go on")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
