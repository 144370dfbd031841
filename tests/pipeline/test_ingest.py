"""Reading crawl files into documents: which file gets which keys, what is read again, and what is refused."""

import gzip
import http.server
import json
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import config_file, file_numbers, forecast, job, manifests, stages, storage
from pipeline import corpus as corpora
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.file_numbers import SourceFile
from pipeline.jobs import ingest
from pipeline.manifests import Outcome, Receipt
from pipeline.sources import versions
from pipeline.sources.names import names_of


@pytest.fixture
def made(tmp_path):
    """Makes a corpus out of sources; by default of every JSONL file in `in/`."""

    def make(*sources, output="out", name="test", **sections):
        sources = sources or ({"paths": ["in/*.jsonl"]},)
        raw = {
            "name": name,
            "output": output,
            "sources": [{"name": f"s{i}", "format": "jsonl"} | source for i, source in enumerate(sources)],
            "ingest": {"max_reject_share": 1},
            "engine": {"workers": 1},
        }
        return Corpus(config_file.parse(raw | sections, folder=tmp_path))

    return make


def jsonl(path, *texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


def keys(corpus):
    """Keys by text."""
    rows = {}
    for receipt in corpus.receipts("documents"):
        table = pq.read_table(corpus.path(receipt.outcome.files[0].path), partitioning=None)
        rows |= dict(zip(table["text"].to_pylist(), table["key"].to_pylist()))
    return rows


def key(dump, file, record=0):
    return dump << 52 | file << 28 | record


def run(corpus):
    corpus.claim()
    job.run(ingest.JOB, corpus)
    return corpus.manifest("documents")["tasks_run"]


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Numbers


def test_an_added_file_costs_one_task_wherever_its_name_sorts(made, tmp_path):
    for name in "bdf":
        jsonl(tmp_path / f"in/{name}.jsonl", f"text {name}")
    corpus = made()
    assert run(corpus) == 3
    first = keys(corpus)
    assert first == {"text b": key(0, 0), "text d": key(0, 1), "text f": key(0, 2)}
    for name in "ace":
        jsonl(tmp_path / f"in/{name}.jsonl", f"text {name}")
    assert run(corpus) == 3
    assert keys(corpus) == first | {"text a": key(0, 3), "text c": key(0, 4), "text e": key(0, 5)}

    # A file that goes takes nobody's number with it, and has its own when it comes back.
    (tmp_path / "in/b.jsonl").rename(tmp_path / "b")
    assert run(corpus) == 0
    assert "text b" not in keys(corpus)
    (tmp_path / "b").rename(tmp_path / "in/b.jsonl")
    assert run(corpus) == 1
    assert keys(corpus)["text b"] == key(0, 0)


def test_a_fresh_run_numbers_files_alike_however_they_are_listed(made, tmp_path):
    for dump in ("2021", "2020"):
        for name in "abc":
            jsonl(tmp_path / f"in/{dump}/{name}.jsonl", f"{dump} {name}")
    listed = {
        "by-glob": [["in/{dump}/*.jsonl"]],
        "one-by-one": [["in/{dump}/a.jsonl", "in/{dump}/b.jsonl", "in/{dump}/c.jsonl"]],
        "backwards": [["in/{dump}/c.jsonl", "in/{dump}/[ab].jsonl", "in/{dump}/a.jsonl"]],
    }
    found = {}
    for output, [paths] in listed.items():
        corpus = made({"paths": paths}, output=output)
        run(corpus)
        assert keys(corpus) == {
            f"{dump} {name}": key(i, j) for i, dump in enumerate(["2020", "2021"]) for j, name in enumerate("abc")
        }
        found[output] = {path: data for path, data in snapshot(tmp_path / output).items() if path.suffix == ".json"}
        found[output].pop(Path("documents/manifest.json"))
    assert {path.as_posix() for path in found["by-glob"]} == {
        "corpus.json", "dumps.json", "files/dump=2020.json", "files/dump=2021.json",
    }  # fmt: skip
    assert found["by-glob"] == found["one-by-one"] == found["backwards"]

    # The order of the sources does not matter either, nor that of a list of paths.
    files = [str(tmp_path / f"in/{dump}/{name}.jsonl") for dump in ("2020", "2021") for name in "abc"]
    of = []
    for i, order in enumerate([files, files[::-1]]):
        (tmp_path / "list").write_text("\n".join(order))
        sources = [{"name": "x", "path_lists": ["list"]}, {"name": "w", "paths": ["in/2020/*.jsonl"], "dump": "main"}]
        corpus = made(*(sources if i else sources[::-1]), output=f"order-{i}")
        run(corpus)
        of.append((storage.read_json(corpus.path("files/dump=main.json")), keys(corpus)))
    assert of[0] == of[1]
    assert [source for source, _ in of[0][0]["files"]] == ["w"] * 3 + ["x"] * 6


def test_names_stay_where_the_crawl_is_moved_to():
    assert names_of(["/data/wet/1/a.gz", "/data/wet/b.gz"], ["/data/wet/**.gz"]) == ["wet/1/a.gz", "wet/b.gz"]
    assert names_of(["/x/[odd]/2020/a"], ["/x/[[]odd]/{dump}/*"]) == ["[odd]/2020/a"]
    assert names_of(["s3://b/c/a"], ["s3://b/c/?"]) == ["c/a"]
    assert names_of(["s3://b/a"], ["s3://b/*"]) == ["a"]
    assert names_of(["https://h/f/a"], ["https://h/f/a"]) == ["f/a"]
    assert (
        names_of(["https://h/crawl/a"], [], "https://h/") == names_of(["s3://m/crawl/a"], [], "s3://m/") == ["crawl/a"]
    )
    assert names_of(["/lists/own/a"], []) == ["/lists/own/a"]
    # Two of one name, and one that is alone with its own.
    paths = ["/d1/x/a", "/d1/x/b", "/d2/x/a"]
    assert names_of(paths, ["/d1/x/*", "/d2/x/*"]) == ["/d1/x/a", "x/b", "/d2/x/a"]
    # A glob that became wider or narrower; and a name that two could have had.
    assert names_of(["/c/x/1/a"], ["/c/*/*/a"], known={"x/1/a"}) == ["x/1/a"]
    assert names_of(["/c/x/1/a"], ["/c/x/1/a"], known={"c/x/1/a", "a"}) == ["c/x/1/a"]
    assert names_of(["/c/x/1/a", "/c/y/1/a"], ["/c/*/1/a"], known={"1/a"}) == ["/c/x/1/a", "/c/y/1/a"]
    assert names_of(["/c/x/1/a", "/c/y/1/a"], ["/c/*/1/a"], known={"/c/x/1/a", "1/a"}) == ["/c/x/1/a", "1/a"]
    assert names_of(paths, ["/**"]) == ["d1/x/a", "d1/x/b", "d2/x/a"]


def test_a_corpus_that_is_moved_with_its_crawl_keeps_its_bytes(made, tmp_path):
    here, there = tmp_path / "here", tmp_path / "far" / "there"
    for name in "bc":
        jsonl(here / f"in/{name}.jsonl", f"text {name}")
    run(made({"paths": ["here/in/*.jsonl"]}, output="here/out"))
    jsonl(here / "in/a.jsonl", "text a")
    before = made({"paths": ["here/in/*.jsonl"]}, output="here/out")
    run(before)
    expected = keys(before)
    there.parent.mkdir()
    here.rename(there)
    moved = made({"paths": ["far/there/in/*.jsonl"]}, output="far/there/out")
    run(moved)
    assert keys(moved) == expected == {"text b": key(0, 0), "text c": key(0, 1), "text a": key(0, 2)}


def test_a_wider_glob_reads_only_what_is_new(made, tmp_path):
    for name in ("b/1/x", "b/1/y", "a/1/z"):
        jsonl(tmp_path / f"in/{name}.jsonl", name)
    assert run(made({"paths": ["in/b/1/*.jsonl"]})) == 2
    wider = made({"paths": ["in/**.jsonl"]})
    assert run(wider) == 1
    assert keys(wider) == {"b/1/x": key(0, 0), "b/1/y": key(0, 1), "a/1/z": key(0, 2)}


def test_two_sources_may_read_one_file(made, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text('{"title": "T", "body": "B"}\n')
    source = {"paths": ["in/a.jsonl"]}
    corpus = made(source | {"columns": {"text": "title"}}, source | {"columns": {"text": "body"}})
    run(corpus)
    assert keys(corpus) == {"T": key(0, 0), "B": key(0, 1)}


def test_looking_ahead_writes_nothing(made, tmp_path):
    jsonl(tmp_path / "in/b.jsonl", "b")
    corpus = made(filter={"presets": []})
    forecast.show_plan(corpus, ["ingest"])
    assert not (tmp_path / "out").exists()
    run(corpus)
    jsonl(tmp_path / "in/a.jsonl", "a")
    before = snapshot(tmp_path / "out")
    forecast.show_plan(corpus, ["ingest"])
    assert snapshot(tmp_path / "out") == before
    state = job.state_of(ingest.JOB, Corpus(corpus.config, read_only=True))
    assert [task.name for task in state.pending] == ["dump=main/part-00001"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"dumps": 3}', '{"dumps": ["a", "a"]}', '{"dumps": "main"}', None])
def test_damaged_dump_indices_are_never_given_anew(made, tmp_path, damage):
    jsonl(tmp_path / "in/a.jsonl", "a")
    corpus = made()
    run(corpus)
    path = tmp_path / "out/dumps.json"
    path.unlink() if damage is None else path.write_text(damage)
    before = snapshot(tmp_path / "out")
    with pytest.raises(GristmillError, match=r"out/dumps\.json is (damaged|missing): .*bring it back .* or delete"):
        job.run(ingest.JOB, corpus)
    assert snapshot(tmp_path / "out") == before


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"files": 3}', '{"files": [["s0"]]}', '{"files": [["s", 1]]}', None]
)
def test_damaged_file_numbers_are_never_given_anew(made, tmp_path, damage):
    jsonl(tmp_path / "in/a.jsonl", "a")
    corpus = made()
    run(corpus)
    path = tmp_path / "out/files/dump=main.json"
    path.unlink() if damage is None else path.write_text(damage)
    before = snapshot(tmp_path / "out")
    with pytest.raises(GristmillError, match=r"out/files/dump=main\.json is (damaged|missing): .*bring it back"):
        job.run(ingest.JOB, corpus)
    assert snapshot(tmp_path / "out") == before


def test_killed_between_the_numbers_and_the_index_goes_on(made, tmp_path, monkeypatch):
    jsonl(tmp_path / "in/a.jsonl", "a")
    corpus = made()
    corpus.claim()
    whole = storage.write_json

    def killed(path, value):
        if path.endswith("dumps.json"):
            raise KeyboardInterrupt
        return whole(path, value)

    monkeypatch.setattr(storage, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        job.run(ingest.JOB, corpus)
    monkeypatch.undo()
    (tmp_path / "out/files/dump=main.json.0.tmp").write_text("[")
    assert run(corpus) == 1
    assert keys(corpus) == {"a": key(0, 0)}
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_more_files_or_dumps_than_a_key_can_tell_apart_are_refused(made, tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "FILE_BITS", 2)
    monkeypatch.setattr(corpora, "DUMP_BITS", 1)
    corpus = made({"paths": ["x"]})
    files = [SourceFile("s", str(i)) for i in range(5)]
    assert corpus.register_files({"d": files[:4]})[1]["d"] == {file: i for i, file in enumerate(files[:4])}
    with pytest.raises(ConfigError, match=r"dump d would have 5 files, more than the 4 that .* sources\.dump"):
        corpus.register_files({"d": files[4:]})
    with pytest.raises(ConfigError, match=r"3 dumps are more than the 2 that .* sources\.dump"):
        corpus.register_files({"e": files[:1], "f": files[:1]})
    assert corpus.dumps() == ["d"]


def test_a_whole_crawl_is_numbered_in_seconds(made):
    corpus = made({"paths": ["x"]})
    path = "https://data.commoncrawl.org/crawl-data/CC-MAIN-2024-10/segments/1707947473347.0/wet/CC-MAIN-{:05d}.warc.wet.gz"
    files = [SourceFile("web", path.format(i)) for i in range(90_000)]
    started = time.monotonic()
    corpus.register_files({"CC-MAIN-2024-10": files[::2]})
    _, numbers = corpus.register_files({"CC-MAIN-2024-10": files})
    assert time.monotonic() - started < 20
    numbers = numbers["CC-MAIN-2024-10"]
    assert [numbers[file] for file in files[::2]] == list(range(45_000))
    assert [numbers[file] for file in files[1::2]] == list(range(45_000, 90_000))


@pytest.mark.parametrize("name", [".", "..", "", "a b", "a/b", "_a", "a\n", "ä", "a=b"])
def test_a_dump_of_an_impossible_name_is_refused(made, tmp_path, name):
    corpus = made({"paths": ["x"]})
    with pytest.raises(ConfigError, match=r"cannot be the name of a dump, .* set sources\.dump") as refused:
        corpus.register_dumps(["main", name])
    assert f"`{name}`" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_dump_named_by_a_path_is_checked_too(made, tmp_path):
    jsonl(tmp_path / "in/a b/x.jsonl", "x")
    with pytest.raises(ConfigError, match="`a b` cannot be the name of a dump"):
        run(made({"paths": ["in/{dump}/x.jsonl"]}))
    jsonl(tmp_path / "in/a/x.jsonl", "x")
    with pytest.raises(ConfigError, match=r"`\.\.` cannot be the name of a dump"):
        run(made({"paths": ["in/a/x.jsonl"], "dump": ".."}))


# Lost files


def test_too_many_lost_files_fail_the_stage(made, tmp_path):
    for name in "abcdefg":
        jsonl(tmp_path / f"in/{name}.jsonl", *[f"{name} {i}" for i in range(100)])
    (tmp_path / "in/b.jsonl").write_text("")
    for name in ("d", "e"):  # an error page under the name of a crawl file
        (tmp_path / f"in/{name}.wet.gz").write_text("<html><body>slow down</body></html>")
    sources = {"paths": ["in/*.jsonl"]}, {"paths": ["in/*.gz"], "format": "wet"}
    with pytest.raises(GristmillError) as failed:
        run(made(*sources, ingest={"max_reject_share": 0.3}))
    assert str(failed.value) == (
        "ingest: 3 of 9 files were lost, more than ingest.max_reject_share = 0.3 allows; the first: "
        f"{tmp_path}/in/b.jsonl: empty-file (there is no record in it). See {tmp_path}/out/rejects; raise the share to "
        "go on all the same"
    )
    corpus = made(*sources, ingest={"max_reject_share": 0.34})
    assert run(corpus) == 0  # nothing is read again
    manifest = corpus.manifest("documents")
    assert manifest["counts"]["lost_files"] == 3
    assert [row["reason"] for row in manifest["details"]["lost_files"]] == [
        "empty-file",
        "wrong-format",
        "wrong-format",
    ]
    assert manifest["details"]["sources"]["s1"]["lost_files"] == 2


# Web servers


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self):
        self.server.asked.append((self.command, self.path))
        status = self.server.status.get(f"{self.command} {self.path}") or self.server.status.get(self.path)
        data, changed = self.server.files.get(self.path, (None, None))
        if status in (301, 302):
            self.send_response(status)
            self.send_header("Location", self.path + ".moved")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif status or data is None:
            self.send_response(status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            if changed:
                self.send_header("Last-Modified", changed)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

    do_GET = do_HEAD = answer


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked, server.status, server.files = [], {}, {}
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def page(text):
    return gzip.compress(json.dumps({"text": text}).encode() + b"\n", mtime=0)


def reads(server):
    read = [path for command, path in server.asked if command == "GET"]
    server.asked.clear()
    return read


MONDAY, TUESDAY = "Mon, 02 Nov 2026 00:00:00 GMT", "Tue, 03 Nov 2026 00:00:00 GMT"


def test_a_file_that_could_not_be_read_is_tried_again(made, server):
    url = f"http://127.0.0.1:{server.server_address[1]}"
    server.files = {"/a": (page("a"), MONDAY), "/b": (page("b"), MONDAY)}
    server.status = {"/b": 403}
    corpus = made({"paths": [f"{url}/a", f"{url}/b"]})
    assert run(corpus) == 2
    assert keys(corpus) == {"a": key(0, 0)}
    flags = [receipt.outcome.details.get("retry") for receipt in corpus.receipts("documents")]
    assert flags == [None, True]
    reads(server)
    assert run(corpus) == 1
    assert reads(server) == ["/b"]
    server.status.clear()
    assert run(corpus) == 1
    assert keys(corpus) == {"a": key(0, 0), "b": key(0, 1)}
    assert "rejects" not in {receipt.outcome.files[-1].path.split("/")[0] for receipt in corpus.receipts("documents")}
    assert job.run(ingest.JOB, corpus) is False


def test_a_file_that_changed_on_its_server_is_read_again(made, server):
    url = f"http://127.0.0.1:{server.server_address[1]}"
    server.files = {f"/{name}": (page(name), MONDAY) for name in "ab"}
    corpus = made({"paths": [f"{url}/a", f"{url}/b"]})
    run(corpus)
    assert corpus.manifest("documents")["counts"]["input_bytes"] == len(page("a")) + len(page("b"))
    reads(server)
    assert job.run(ingest.JOB, corpus) is False
    server.files["/b"] = (page("c"), TUESDAY)
    assert run(corpus) == 1
    assert reads(server) == ["/b"]
    assert keys(corpus) == {"a": key(0, 0), "c": key(0, 1)}


@pytest.mark.parametrize("status", [403, 405, 503])
def test_a_file_that_cannot_be_asked_for_is_taken_as_it_was_read(made, server, status):
    url = f"http://127.0.0.1:{server.server_address[1]}"
    server.files = {"/a": (page("a"), MONDAY)}
    corpus = made({"paths": [f"{url}/a"]})
    run(corpus)
    server.status = {"HEAD /a": status}
    assert job.run(ingest.JOB, corpus) is False
    server.status.clear()
    assert job.run(ingest.JOB, corpus) is False
    server.shutdown()
    server.server_close()
    assert job.run(ingest.JOB, corpus) is False


def test_versions_over_kept_connections_and_redirects(server):
    url = f"http://127.0.0.1:{server.server_address[1]}"
    server.files = {f"/{i}": (b"x" * i, MONDAY) for i in range(200)} | {
        "/r.moved": (b"12345", TUESDAY),
        "/n": (b"12", ""),
    }
    server.status = {"/r": 302}
    found = versions.look_up([f"{url}/{name}" for name in [*range(200), "r", "n", "gone"]])
    assert found == {f"{url}/{i}": (i, f"{i}@{MONDAY}") for i in range(200)} | {
        f"{url}/r": (5, f"5@{TUESDAY}"),
        f"{url}/n": (2, "2@"),
    }


def test_a_server_that_is_not_there_is_not_asked_for_every_file():
    started = time.monotonic()
    assert versions.look_up([f"http://127.0.0.1:9/{i}" for i in range(20_000)]) == {}
    assert time.monotonic() - started < 10


# Manifests and receipts


@pytest.mark.parametrize(
    "damage",
    [
        [],
        "x",
        3,
        {},
        {"complete": True},
        {"complete": True, "tasks": []},
        {"complete": True, "tasks": 3},
        {"complete": False, "tasks": [3, [], {}, {"task": "a"}, None]},
    ],
)
def test_a_manifest_that_is_json_but_no_manifest_means_do_it_again(made, tmp_path, damage):
    jsonl(tmp_path / "in/a.jsonl", "a")
    corpus = made()
    run(corpus)
    before = corpus.manifest("documents")["files"]
    storage.write_json(corpus.path("documents/manifest.json"), damage)
    assert run(corpus) == 1
    assert corpus.manifest("documents")["files"] == before


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": []},
        {"outcome": "x"},
        {"outcome": {"counts": {}, "details": {}}},
        {"outcome": {"counts": [], "details": {}, "files": []}},
        {"outcome": {"counts": {}, "details": 3, "files": []}},
        {"outcome": {"counts": {}, "details": {}, "files": [{"name": "x"}]}},
        {"outcome": {"counts": {}, "details": {}, "files": [3]}},
        {"task": 3},
        {"fingerprint": None},
    ],
)
def test_a_damaged_entry_of_a_manifest_costs_its_own_task(made, tmp_path, change):
    for name in "ab":
        jsonl(tmp_path / f"in/{name}.jsonl", name)
    corpus = made()
    run(corpus)
    manifest = corpus.manifest("documents")
    manifest["tasks"][1] |= change
    storage.write_json(corpus.path("documents/manifest.json"), manifest)
    with pytest.raises(GristmillError, match="is not finished"):
        corpus.receipts("documents")
    assert run(corpus) == 1
    assert set(keys(corpus)) == {"a", "b"}


def test_many_receipts_are_read_at_once(tmp_path, monkeypatch):
    for i in range(48):
        manifests.write_receipt(str(tmp_path), Receipt(f"dump=d/part-{i:05d}", "f", Outcome({"documents": i})))
    (tmp_path / "receipts/half.json.1.tmp").write_text("{")
    read = storage.read_json

    def slow(path):  # as a store that takes its time
        time.sleep(0.05)
        return read(path)

    monkeypatch.setattr(storage, "read_json", slow)
    started = time.monotonic()
    known = manifests.known_receipts(str(tmp_path))
    assert time.monotonic() - started < 48 * 0.05 / 2
    assert {receipt.outcome.counts["documents"] for receipt in known.values()} == set(range(48))


# Whose folder it is


def test_a_folder_of_the_same_name_with_other_sources_is_refused(made, tmp_path):
    jsonl(tmp_path / "in/a.jsonl", "a")
    jsonl(tmp_path / "other/b.jsonl", "b")
    with made().locked():
        run(made())
    corpus = made()
    assert made({"name": "mine", "paths": ["other/*.jsonl"]}).check_owner()  # killed before it left its config
    (tmp_path / "out/corpus.yaml").write_text(config_file.show(corpus.config))
    before = snapshot(tmp_path / "out")
    stranger = made({"name": "mine", "paths": ["other/*.jsonl"]})
    with pytest.raises(
        ConfigError, match=r"out holds another corpus `test`: none of its sources .* or delete that one"
    ):
        stages.run(stranger, ["ingest"], None)
    assert snapshot(tmp_path / "out") == before
    assert made({"name": "mine", "paths": ["in/*.jsonl"]}).check_owner()  # renamed
    assert made({"name": "s0", "paths": ["other/*.jsonl"]}).check_owner()  # moved
    assert made({"name": "mine", "paths": ["other/*.jsonl"]}, {"paths": ["in/*.jsonl"]}).check_owner()  # extended
    (tmp_path / "out/corpus.yaml").write_text("{")
    assert stranger.check_owner()


def test_numbers_are_kept_by_dump_in_plain_json(made, tmp_path):
    jsonl(tmp_path / "in/a.jsonl", "a")
    corpus = made()
    run(corpus)
    assert json.loads((tmp_path / "out/files/dump=main.json").read_text()) == {
        "dump": "main",
        "files": [["s0", "in/a.jsonl"]],
    }
    assert file_numbers.read(corpus.config.output, "other") is None
