"""Which files a source names: globs, {dump}, path lists, slices; clear errors for what is not there."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.errors import ConfigError
from pipeline.sources.paths import InputFile, expand
from pipeline.sources.read import read_documents


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """Two dumps of three files each, and files that no pattern should meet."""
    for dump in ("2023-40", "2024-10"):
        for part in ("b", "a", "c"):
            path = tmp_path / "crawl" / dump / "sub" / f"{part}.warc.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            (tmp_path / "flat").mkdir(exist_ok=True)
            (tmp_path / "flat" / f"{dump}.{part}.wet.gz").write_bytes(b"x")
    (tmp_path / "crawl" / "README.md").write_text("x")
    return tmp_path


def relative(found: list[InputFile], folder: Path) -> list[tuple[str, str]]:
    return [(file.path.removeprefix(f"{folder}/"), file.dump) for file in found]


def test_a_part_of_the_path_names_the_dump(crawl: Path) -> None:
    found = expand(["crawl/{dump}/sub/*.warc.gz"], folder=str(crawl))
    assert relative(found, crawl) == [
        (f"crawl/{dump}/sub/{part}.warc.gz", dump) for dump in ("2023-40", "2024-10") for part in "abc"
    ]


def test_a_part_of_a_name_names_the_dump(crawl: Path) -> None:
    found = expand([f"{crawl}/flat/{{dump}}.a.wet.gz"])
    assert relative(found, crawl) == [("flat/2023-40.a.wet.gz", "2023-40"), ("flat/2024-10.a.wet.gz", "2024-10")]


def test_a_dump_named_twice_must_be_the_same(crawl: Path) -> None:
    (crawl / "crawl" / "2024-10" / "sub" / "2024-10.x.gz").write_bytes(b"x")
    (crawl / "crawl" / "2024-10" / "sub" / "2023-40.x.gz").write_bytes(b"x")
    found = expand(["crawl/{dump}/sub/{dump}.x.gz"], folder=str(crawl))
    assert relative(found, crawl) == [("crawl/2024-10/sub/2024-10.x.gz", "2024-10")]


@pytest.mark.parametrize(
    ("glob", "count"),
    [
        ("crawl/*/sub/*.warc.gz", 6),
        ("crawl/**/*.warc.gz", 6),
        ("**/*.gz", 12),
        ("crawl/**/sub/**/a.warc.gz", 2),
        ("flat/2023-40.?.wet.gz", 3),
        ("flat/*.[ab].wet.gz", 4),
        ("flat/*.[!ab].wet.gz", 2),
        ("crawl/2024-10/sub/a.warc.gz", 1),
    ],
)
def test_globs(crawl: Path, glob: str, count: int) -> None:
    found = expand([glob], folder=str(crawl))
    assert len(found) == count
    assert found == sorted(found)
    assert {file.dump for file in found} == {"main"}


def test_files_are_unique_and_the_order_of_patterns_does_not_matter(crawl: Path) -> None:
    patterns = ["crawl/{dump}/sub/*", "crawl/{dump}/sub/a.*", "crawl/2024-10/sub/b.warc.gz"]
    found = expand(patterns, folder=str(crawl))
    assert len(found) == 6
    assert expand(patterns[1::-1] + patterns[2:], folder=str(crawl)) == found


def test_the_dump_can_be_given_or_told_by_common_crawls_paths(crawl: Path) -> None:
    path = crawl / "crawl-data" / "CC-MAIN-2024-10" / "segments" / "a.wet.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert expand([str(path)]) == [InputFile(str(path), "CC-MAIN-2024-10")]
    assert expand([str(path)], dump="mine") == [InputFile(str(path), "mine")]
    assert expand(["crawl/{dump}/sub/a*"], dump="mine", folder=str(crawl))[0].dump == "2023-40"


def test_slices_are_of_the_ordered_files(crawl: Path) -> None:
    whole = expand(["flat/*"], folder=str(crawl))
    parts = {"0:2": whole[0:2], "1:": whole[1:], ":-1": whole[:-1], "::2": whole[::2]}
    for text, part in parts.items():
        assert expand(["flat/*"], folder=str(crawl), files=text) == part
    for wrong in ("5", "a:b", "0:2:0", "1:2:3:4"):
        with pytest.raises(ConfigError, match="is no slice; write it like 0:20"):
            expand(["flat/*"], folder=str(crawl), files=wrong)
    with pytest.raises(ConfigError, match="'10:20' leaves none of the 6 files"):
        expand(["flat/*"], folder=str(crawl), files="10:20")


PATHS = "crawl-data/CC-MAIN-2024-10/b.wet.gz\n# comment\n\ncrawl-data/CC-MAIN-2023-40/a.wet.gz\r\ns3://bucket/x.gz\n/abs/y.gz\n"


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_path_lists(tmp_path: Path, compress: object) -> None:
    (tmp_path / "wet.paths").write_bytes(compress(PATHS.encode()))  # type: ignore[operator]
    found = expand([], ["wet.paths"], base="https://data.commoncrawl.org/", folder=str(tmp_path))
    assert found == [
        InputFile("https://data.commoncrawl.org/crawl-data/CC-MAIN-2023-40/a.wet.gz", "CC-MAIN-2023-40"),
        InputFile("https://data.commoncrawl.org/crawl-data/CC-MAIN-2024-10/b.wet.gz", "CC-MAIN-2024-10"),
        InputFile("/abs/y.gz", "main"),
        InputFile("s3://bucket/x.gz", "main"),
    ]
    assert expand([], ["wet.paths"], folder=str(tmp_path))[0].path == f"{tmp_path}/crawl-data/CC-MAIN-2023-40/a.wet.gz"
    assert {file.dump for file in expand([], ["wet.paths"], dump="one", folder=str(tmp_path))} == {"one"}
    local = expand([], ["wet.paths"], base="copy", folder=str(tmp_path))
    assert local[0].path == f"{tmp_path}/copy/crawl-data/CC-MAIN-2023-40/a.wet.gz"


def test_path_lists_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"wet\.paths\.gz: there is no such path list"):
        expand([], ["wet.paths.gz"], folder=str(tmp_path))
    (tmp_path / "wet.paths.gz").write_bytes(gzip.compress(PATHS.encode())[:-12])
    with pytest.raises(ConfigError, match=r"the list is damaged \(truncated"):
        expand([], ["wet.paths.gz"], folder=str(tmp_path))
    (tmp_path / "wet.paths.gz").write_bytes(b"# nothing\n")
    with pytest.raises(ConfigError, match="the list names no files"):
        expand([], ["wet.paths.gz"], folder=str(tmp_path))
    with pytest.raises(ConfigError, match=r"there is no such path list; .* has wet\.paths\.gz"):
        expand([], ["wet.path.gz"], folder=str(tmp_path))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("crawl/*/sub/*.wet.gz", "matches no file; .*crawl has README.md, 2023-40|matches no file; .*crawl has "),
        ("flat/2023-40.a.wat.gz", r"does not exist; .*flat has 2023-40\.a\.wet\.gz"),
        ("missing/*.gz", "matches no file; there is nothing in .*missing"),
        ("crawl", "crawl is a folder; name its files, such as .*crawl/"),
        ("https://data.commoncrawl.org/*.gz", "a web server cannot be searched; name each file, or use path_lists"),
    ],
)
def test_patterns_without_files_say_what_there_is(crawl: Path, path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        expand([path], folder=str(crawl))
    assert re.match("[^;]*" + re.escape(path.split("*")[0]), str(caught.value))


def test_addresses_of_single_files_are_taken_as_they_are() -> None:
    assert expand(["https://x.org/a.gz"], folder="/data") == [InputFile("https://x.org/a.gz", "main")]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 bucket on a server of this machine."""
    boto3 = pytest.importorskip("boto3", reason="S3 needs the aws extra")
    server_module = pytest.importorskip("moto.server", reason="S3 is tested against moto's server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    endpoint = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="crawl")
    FileSystems.set_options(PipelineOptions([f"--s3_endpoint_url={endpoint}", "--s3_region_name=us-east-1"]))
    yield client
    FileSystems.set_options(PipelineOptions([]))
    server.stop()


def test_s3_is_searched_and_read_like_a_disk(bucket: Any, shared_data: Path) -> None:
    local = shared_data / "commoncrawl/filter-test.warc.wet.gz"
    for dump in ("2023-40", "2024-10"):
        bucket.upload_file(str(local), "crawl", f"wet/{dump}/a.warc.wet.gz")
    bucket.put_object(Bucket="crawl", Key="wet/README", Body=b"x")
    found = expand(["s3://crawl/wet/{dump}/*.gz"])
    assert found == [
        InputFile("s3://crawl/wet/2023-40/a.warc.wet.gz", "2023-40"),
        InputFile("s3://crawl/wet/2024-10/a.warc.wet.gz", "2024-10"),
    ]
    remote = [batch.documents for batch in read_documents(found[1].path, "wet")]
    assert remote == [batch.documents for batch in read_documents(str(local), "wet")]
    with pytest.raises(ConfigError, match=r"matches no file; s3://crawl/wet has"):
        expand(["s3://crawl/wet/*/*.warc"])
    rejects = [batch.rejects.to_pylist() for batch in read_documents("s3://crawl/wet/missing.gz", "wet")]
    assert [row["reason"] for row in rejects[0]] == ["unreadable"]
