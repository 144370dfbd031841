"""Remote stores are as good as local disk: the same bytes, the same resumption, and one clear line when they fail."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import logging
import random
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from report_example import write_example

from pipeline import config_file, manifests, stages, storage, stores
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.parts import read_part
from pipeline.report.dedup_report import write_dedup_report
from pipeline.runners import without_secrets
from pipeline.sources.paths import expand
from pipeline.sources.read import read_documents

WORDS = [f"{a}{b}{c}" for a in ("gr", "m", "sh", "fl", "w") for b in ("ai", "o", "ea") for c in ("n", "st", "ll", "r")]
FILES = [
    "crawl-data/CC-MAIN-2024-10/segments/0.1/wet/a-00000.warc.wet.gz",
    "crawl-data/CC-MAIN-2024-10/segments/0.2/wet/b-00000.warc.wet.gz",
]
PATH_LIST = "crawl-data/CC-MAIN-2024-10/wet.paths.gz"
NOT_PROMISED = {"manifest.json", "corpus.yaml", ".lock"}  # times, and the options of the engine


# --- a crawl, laid out like Common Crawl's, and its corpus on local disk


def wet(seed: int) -> bytes:
    """A WET file of 25 records, a gzip member each, three of them the same in every file."""
    members = []
    for record in range(25):
        words = random.Random(record if record < 3 else seed * 1000 + record)
        text = "\n".join(" ".join(words.choices(WORDS, k=12)).capitalize() + "." for _ in range(12)).encode()
        header = (
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://site{seed}.example/{record}\r\n"
            f"WARC-Date: 2024-03-0{seed}T00:00:{record:02d}Z\r\nWARC-Record-ID: <urn:test:{seed}-{record}>\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        members.append(gzip.compress(header.encode() + text + b"\r\n\r\n", mtime=0))
    return b"".join(members)


@pytest.fixture(scope="module")
def crawl(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("crawl")
    for seed, name in enumerate(FILES, 1):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(wet(seed))
    (folder / PATH_LIST).write_bytes(gzip.compress("\n".join(FILES).encode() + b"\n", mtime=0))
    return folder


def corpus_of(output: str, source: dict, options: list[str] = []) -> Corpus:  # noqa: B006 never changed
    raw = {
        "name": "stores",
        "output": output,
        "sources": [{"name": "web", "format": "wet", **source}],
        "dedup": {"partitions": 2},
        "filter": {"presets": []},
        "tokenizer": {"vocabulary": 300},
        "shards": {"validation_share": 0.2},
        "engine": {"workers": 1, "options": options},
    }
    return Corpus(config_file.parse(raw))


class Watcher:
    """Remembers which jobs had something to do, and how many tasks."""

    def __init__(self) -> None:
        self.ran: dict[str, int] = {}

    def started(self, stage, job):
        pass

    def finished(self, stage, job, manifest, seconds, ran):
        if ran:
            self.ran[job] = manifest["tasks_run"]


def run(corpus: Corpus, until: str | None = None) -> dict[str, int]:
    watcher = Watcher()
    stages.run(corpus, stages.until(until), watcher)
    return watcher.ran


def contents(output: str) -> dict[str, str]:
    """SHA-256 of every file whose bytes are promised, read back through the store.

    Not of the files' numbers, which go by names, and other globs and lists name a file otherwise.
    """
    return {
        name: storage.sha256_of(storage.join(output, name))
        for name in storage.list_files(output)
        if name.rsplit("/", 1)[-1] not in NOT_PROMISED and not name.startswith("files/")
    }


@pytest.fixture(scope="module")
def local(crawl, tmp_path_factory) -> dict[str, str]:
    """What a run on local disk makes."""
    output = str(tmp_path_factory.mktemp("local") / "out")
    run(corpus_of(output, {"paths": [str(crawl / "crawl-data/*/segments/*/wet/*.gz")]}))
    made = contents(output)
    assert any(name.startswith("shards/train") for name in made)
    assert any(name.startswith("documents/dump=CC-MAIN-2024-10/") for name in made)
    return made


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """No connection, options, credentials or settings from elsewhere."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(stores, "_shared", None)
    stores._installed.cache_clear()
    stores.connect(PipelineOptions([]))
    yield
    stores._installed.cache_clear()
    stores.connect(PipelineOptions([]))


# --- s3://


class S3Server:
    """An S3 of this process, with what Beam needs to reach it."""

    def __init__(self, url: str, client):
        self.url, self.client = url, client
        self.options = [
            f"--s3_endpoint_url={url}",
            "--s3_access_key_id=someone",
            "--s3_secret_access_key=hush-hush",
            "--s3_region_name=us-east-1",
        ]

    @contextlib.contextmanager
    def checking_keys(self) -> Iterator[None]:
        """Asks for a known key, as the real S3 does; otherwise anybody may do anything."""
        self._check_after("0")
        try:
            yield
        finally:
            self._check_after("inf")

    def _check_after(self, requests: str) -> None:
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{self.url}/moto-api/reset-auth", requests.encode(), headers)
        urllib.request.urlopen(request).close()


@pytest.fixture(scope="module")
def s3_server(crawl) -> Iterator[S3Server]:
    boto3 = pytest.importorskip("boto3", reason="needs gristmill[aws]")
    moto = pytest.importorskip("moto.server", reason="needs moto[server,s3], a part of gristmill[dev]")
    logging.getLogger("werkzeug").disabled = True
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client(
        "s3", "us-east-1", endpoint_url=url, aws_access_key_id="someone", aws_secret_access_key="hush-hush"
    )
    for bucket in ("crawl", "corpora"):
        client.create_bucket(Bucket=bucket)
    for name in [*FILES, PATH_LIST]:
        client.put_object(Bucket="crawl", Key=name, Body=(crawl / name).read_bytes())
    yield S3Server(url, client)
    server.stop()


@pytest.fixture
def s3(s3_server) -> S3Server:
    """The server, with this process connected to it."""
    stores.connect(PipelineOptions(s3_server.options))
    return s3_server


def test_a_dedup_report_on_s3_is_the_one_on_local_disk(s3, tmp_path):
    here, there = str(write_example(tmp_path / "reported")), "s3://corpora/reported"
    for name in storage.list_files(here):
        with storage.open_read(storage.join(here, name)) as file, storage.atomic_write(f"{there}/{name}") as copy:
            copy.stream.write(file.read())
    assert write_dedup_report(there) == f"{there}/dedup-report/index.html"
    write_dedup_report(here)
    made = contents(f"{here}/dedup-report")
    assert contents(f"{there}/dedup-report") == made and len(made) == 9
    with storage.open_read(f"{there}/dedup-report/index.html") as page:
        assert page.read().count(b"<details class=comparison>") > 20


def test_a_corpus_on_s3_is_the_one_on_local_disk_and_goes_on_where_something_is_missing(s3_server, local):
    output = "s3://corpora/from-glob"
    source = {"paths": ["s3://crawl/crawl-data/CC-MAIN-2024-10/segments/*/wet/*.gz"]}
    corpus = corpus_of(output, source, s3_server.options)
    run(corpus)
    assert contents(output) == local
    assert not [name for name in storage.list_files(output) if "tmp" in name or "receipts" in name]

    assert run(corpus) == {}

    shard = next(name for name in local if name.startswith("shards/train"))
    s3_server.client.delete_object(Bucket="corpora", Key=f"from-glob/{shard}")
    assert run(corpus) == {"tokenize": 1}
    part = "documents/dump=CC-MAIN-2024-10/part-00001.parquet"
    s3_server.client.delete_object(Bucket="corpora", Key=f"from-glob/{part}")
    assert run(corpus) == {"ingest": 1}  # equal bytes come out, so that nothing after it has to be done again
    assert contents(output) == local

    s3_server.client.put_object(Bucket="crawl", Key=FILES[1], Body=wet(2))
    assert run(corpus) == {"ingest": 1}  # an input file that was written again is read again


def test_a_path_list_on_s3_gives_the_same_corpus_on_local_disk(s3_server, local, tmp_path):
    output = str(tmp_path / "out")
    source = {"path_lists": [f"s3://crawl/{PATH_LIST}"], "base": "s3://crawl/"}
    run(corpus_of(output, source, s3_server.options))
    assert contents(output) == local


def test_secrets_among_the_options_are_not_written_to_the_output(s3_server, crawl):
    output = "s3://corpora/secrets"
    corpus = corpus_of(output, {"paths": [str(crawl / FILES[0])]}, s3_server.options)
    run(corpus, "ingest")
    shown = storage.read_text(f"{output}/corpus.yaml")
    assert "hush-hush" not in shown and "someone" not in shown
    assert f"--s3_endpoint_url={s3_server.url}" in shown
    assert corpus.config.engine.options == s3_server.options  # the run itself goes on with them
    assert "--s3_secret_access_key=***" in without_secrets(corpus.config.engine).options


def test_workers_that_are_processes_of_their_own_know_the_options(s3_server, local):
    output = "s3://corpora/processes"
    processes = ["--direct_running_mode=multi_processing", "--direct_num_workers=1"]
    source = {"paths": ["s3://crawl/crawl-data/**/wet/*.gz"]}
    run(corpus_of(output, source, [*s3_server.options, *processes]), "ingest")
    made = contents(output)
    documents = [name for name in local if name.startswith("documents/")]
    assert documents and all(made[name] == local[name] for name in documents)


def test_the_environment_reaches_s3_without_any_option(s3_server, crawl, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    [batch] = read_documents(f"s3://crawl/{FILES[0]}", "wet")
    assert batch.documents.num_rows == 25
    files = expand(["s3://crawl/crawl-data/{dump}/segments/*/wet/*.gz"], files="1:")
    assert files == [(f"s3://crawl/{FILES[1]}", "CC-MAIN-2024-10")]


def test_a_file_of_several_uploads_is_whole_and_can_be_read_from_anywhere(s3):
    data = random.Random(0).randbytes(13 << 20)  # three uploads, since each is 5 MiB at least
    path = "s3://corpora/files/large.bin"
    with storage.atomic_write(path) as file:
        for begin in range(0, len(data), 3 << 20):
            file.stream.write(memoryview(data)[begin : begin + (3 << 20)])
        assert not storage.exists(path)
    assert file.stored == (path, len(data), hashlib.sha256(data).hexdigest())
    assert storage.sha256_of(path) == file.stored.sha256
    with storage.open_read(path) as opened:
        for at in (12 << 20, 0, 7_000_001):
            opened.seek(at)
            assert opened.read(1000) == data[at : at + 1000]
        assert opened.seek(-5, 2) == len(data) - 5
        assert opened.read() == data[-5:]
    assert storage.list_files("s3://corpora/files") == {"large.bin": len(data)}


def test_a_failed_write_leaves_the_old_file_and_no_other(s3):
    path = "s3://corpora/failed/file.json"
    storage.write_json(path, {"a": 1})
    with pytest.raises(KeyError), storage.atomic_write(path) as file:
        file.stream.write(b"half")
        raise KeyError
    assert storage.read_json(path) == {"a": 1}
    assert list(storage.list_files("s3://corpora/failed")) == ["file.json"]
    storage.delete([path, "s3://corpora/failed/never-there"])
    assert storage.list_files("s3://corpora/failed") == {}
    with pytest.raises(FileNotFoundError):
        storage.read_json(path)


def test_many_files_of_a_folder_are_looked_up_by_one_listing(s3, monkeypatch):
    paths = [f"s3://corpora/many/[odd] name-{number}?.gz" for number in range(5)]
    for path in paths[:3]:
        storage.write_json(path, 1)
    prefixes = []
    monkeypatch.setattr(
        stores, "listed", lambda prefix, listed=stores.listed: prefixes.append(prefix) or listed(prefix)
    )
    found = storage.look_at([*paths, f"s3://crawl/{FILES[0]}"])
    assert list(found) == [*paths[:3], f"s3://crawl/{FILES[0]}"]
    assert all(file.bytes > 0 and file.updated > 1.7e9 for file in found.values())
    assert prefixes == ["s3://corpora/many/[odd] name-", f"s3://crawl/{FILES[0]}"]


def test_a_listed_file_that_is_not_there_is_one_reject(s3, tmp_path):
    (tmp_path / "paths").write_text(f"{FILES[0]}\ncrawl-data/CC-MAIN-2024-10/segments/0.9/wet/gone.warc.wet.gz\n")
    output = str(tmp_path / "out")
    corpus = corpus_of(output, {"path_lists": [str(tmp_path / "paths")], "base": "s3://crawl/"}, s3.options)
    with pytest.raises(GristmillError, match=r"1 of 2 files were lost, more than ingest\.max_reject_share = 0\.2"):
        run(corpus, "ingest")
    corpus.config.ingest.max_reject_share = 0.5
    run(corpus, "ingest")
    manifest = manifests.read_manifest(f"{output}/documents")
    assert manifest["counts"]["documents"] == 25
    assert manifest["details"]["rejects"] == {"unreadable": 1}
    [sample] = manifest["details"]["reject_samples"]
    assert sample["file"].endswith("gone.warc.wet.gz") and "there is no such file" in sample["detail"]


def refused(path: str, kind: type[GristmillError] = GristmillError) -> str:
    """The one line that looking for input files under a path ends in."""
    with pytest.raises(kind) as caught:
        expand([path])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_on_s3_is_told_with_what_is(s3):
    folder = "s3://crawl/crawl-data/CC-MAIN-2024-10"
    told = refused(f"{folder}/*.zst", ConfigError)
    assert told == f"{folder}/*.zst matches no file; {folder} has segments and others"
    told = refused(f"{folder}/wet.path.gz", ConfigError)
    assert told == f"{folder}/wet.path.gz does not exist; {folder} has wet.paths.gz and others"
    assert refused("s3://no-such-bucket/*.gz", ConfigError) == "s3://no-such-bucket: there is no such bucket"
    assert "S3 path must be in the form" in refused("s3://cra*/*.gz", ConfigError)
    with pytest.raises(ConfigError, match="there is no such bucket"):
        run(corpus_of("s3://no-such-bucket/out", {"paths": [f"{folder}/**.wet.gz"]}, s3.options))


def test_wrong_and_missing_credentials_are_told_with_the_remedy(s3):
    path = f"s3://crawl/{FILES[0]}"
    with s3.checking_keys():
        stores.connect(PipelineOptions([*s3.options, "--s3_access_key_id=stranger"]))
        told = refused(path)
        assert told.startswith("s3://crawl: access denied (InvalidAccessKeyId: ")
        assert "AWS_SECRET_ACCESS_KEY" in told and "--s3_access_key_id=" in told
        stores.connect(PipelineOptions([s3.options[0], s3.options[3]]))
        assert "there are no credentials; set AWS_ACCESS_KEY_ID" in refused(path)


def test_a_store_that_does_not_answer_is_told_at_once(monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    stores.connect(PipelineOptions([f"--s3_endpoint_url=http://127.0.0.1:{free_port()}"]))
    told = refused("s3://crawl/*.gz")
    assert told.startswith("s3://crawl: the store cannot be reached") and "--s3_endpoint_url" in told
    with pytest.raises(GristmillError, match="cannot be reached") as caught:
        list(read_part("s3://crawl/part.parquet"))
    assert "delete" not in str(caught.value)  # the file may be whole
    with pytest.raises(ConnectionError, match="cannot be reached"):
        list(read_documents("s3://crawl/a.gz", "wet"))  # not a reject: it says nothing about the file


@pytest.mark.parametrize(
    ("path", "module", "remedy"),
    [
        ("s3://crawl/a.gz", "boto3", "pip install 'gristmill[aws]'"),
        ("gs://crawl/a.gz", "google.cloud.storage", "pip install 'gristmill[gcp]'"),
        ("hdfs://host/a.gz", "hdfs", "pip install 'apache-beam[hadoop]'"),
    ],
)
def test_a_missing_extra_is_named(path, module, remedy, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    assert refused(path).endswith(f"needs {module}, which is not installed: {remedy}")
    assert refused(path.replace("a.gz", "*.gz")).endswith(remedy)
    for act in (storage.open_read, storage.list_files, lambda path: storage.write_json(path, 1)):
        with pytest.raises(GristmillError, match="is not installed: pip install"):
            act(path)
    with pytest.raises(GristmillError, match="is not installed: pip install"):
        list(read_documents(path, "wet"))


def test_a_store_that_nobody_knows_is_refused():
    assert "`ftp://` is no store that is known; there are s3://, gs://, hdfs://" in refused("ftp://h/a.gz", ConfigError)


# --- https://


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def web(crawl) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(crawl)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_common_crawls_own_layout_on_a_web_server(web, local, tmp_path):
    output = str(tmp_path / "out")
    source = {"path_lists": [web + PATH_LIST], "base": web, "files": "0:2"}
    run(corpus_of(output, source), "ingest")
    documents = {name: digest for name, digest in local.items() if name.startswith("documents/")}
    assert sorted(documents) == [f"documents/dump=CC-MAIN-2024-10/part-0000{number}.parquet" for number in range(2)]
    assert contents(output).items() >= documents.items()
    assert run(corpus_of(output, source), "ingest") == {}

    [file] = expand([], [web + PATH_LIST], web, "1:2")
    assert file == (web + FILES[1], "CC-MAIN-2024-10")
    with pytest.raises(ConfigError, match="there is no such path list"):
        expand([], [f"{web}wet.paths.gz"], web)


# --- gs://


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def gcs(crawl, monkeypatch) -> Iterator[None]:
    """A Google Cloud Storage of this process, with the crawl in it."""
    gcs = pytest.importorskip("google.cloud.storage", reason="needs gristmill[gcp]")
    pytest.importorskip("google_auth_httplib2", reason="needs gristmill[gcp]")
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="needs gcp-storage-emulator")
    port = free_port()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    anonymous = pytest.importorskip("google.auth.credentials").AnonymousCredentials()
    monkeypatch.setattr("google.auth.default", lambda **settings: (anonymous, "test"))  # Beam asks for half a minute
    monkeypatch.setattr("apache_beam.internal.gcp.auth._Credentials._credentials_init", False)
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    server = emulator.create_server("127.0.0.1", port, in_memory=True)
    server.start()
    client = gcs.Client.create_anonymous_client()
    client.project = "test"
    for bucket in ("crawl", "corpora"):
        client.create_bucket(bucket)
    for name in [*FILES, PATH_LIST]:
        client.bucket("crawl").blob(name).upload_from_filename(str(crawl / name))
    yield
    server.stop()


def test_a_corpus_on_google_cloud_storage_is_the_one_on_local_disk(gcs, local):
    output = "gs://corpora/out"
    corpus = corpus_of(output, {"path_lists": [f"gs://crawl/{PATH_LIST}"], "base": "gs://crawl/"})
    run(corpus)
    assert contents(output) == local
    assert run(corpus) == {}
    shard = next(name for name in local if name.startswith("shards/train"))
    storage.delete([f"{output}/{shard}", f"{output}/never-there"])
    assert run(corpus) == {"tokenize": 1}
    assert contents(output) == local

    found = expand(["gs://crawl/crawl-data/{dump}/segments/*/wet/*.gz"])
    assert found == [(f"gs://crawl/{name}", "CC-MAIN-2024-10") for name in FILES]
    told = refused("gs://crawl/crawl-data/*.zst", ConfigError)
    assert told == "gs://crawl/crawl-data/*.zst matches no file; gs://crawl/crawl-data has CC-MAIN-2024-10"
    assert refused("gs://no-such-bucket/*.gz", ConfigError) == "gs://no-such-bucket: there is no such bucket"
    with pytest.raises(FileNotFoundError):
        storage.read_json("gs://crawl/none.json")
