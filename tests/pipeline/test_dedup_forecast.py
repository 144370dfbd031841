"""The forecast of deduplication: what it counts, what it assumes, and what a person reads."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console
from runs import Silent

from benchmarks.generated.corpus import GeneratedCorpus
from benchmarks.generated.files import new_corpus, write_documents, write_parquet, write_wet
from pipeline import config_file, forecast, stages, storage
from pipeline.corpus import Corpus
from pipeline.dedup_forecast import COSTS, Machine, share_assumed, try_out
from pipeline.dedup_forecast import forecast as foretold
from pipeline.workload import workload_of

GENERATED = GeneratedCorpus(1500, dumps=2, files=3)
MACHINE = Machine(sign_byte=5e-9, signature=480, slower=1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    corpus = new_corpus(tmp_path_factory.mktemp("generated") / "out")
    write_documents(GENERATED, corpus)
    return corpus


def shown(corpus, *names):
    console = Console(file=io.StringIO(), width=140)
    forecast.show_plan(corpus, names, console)
    return console.file.getvalue()


def test_documents_that_lie_there_are_counted(corpus):
    workload = workload_of(corpus)
    counts = corpus.manifest("documents")["counts"]
    assert workload.counted and workload.dumps == 2 and workload.parts == 6
    assert (workload.documents, workload.text_bytes) == (counts["documents"], counts["text_bytes"])
    assert workload.unsigned_bytes == workload.text_bytes
    assert 100 < sum(map(len, workload.samples)) <= 1500


@pytest.mark.parametrize(("write", "form"), [(write_wet, "wet"), (write_parquet, "parquet")])
def test_inputs_are_told_from_a_sample(corpus, tmp_path, write, form):
    source = {"name": "generated", "format": form, "paths": [write(GENERATED, tmp_path / "in")]}
    raw = {"name": "unread", "output": str(tmp_path / "out"), "sources": [source]}
    unread = Corpus(config_file.parse(raw), read_only=True)
    workload, truth = workload_of(unread), workload_of(corpus)
    assert not workload.counted
    assert (workload.dumps, workload.parts) == (truth.dumps, truth.parts)
    assert workload.documents == pytest.approx(truth.documents, rel=0.15)
    assert workload.text_bytes == workload.unsigned_bytes == pytest.approx(truth.text_bytes, rel=0.15)
    assert "documents, from the start of some input files" in shown(unread, "ingest", "dedup")
    assert not (tmp_path / "out").exists()


def test_the_trial_signs_the_sample(corpus):
    machine = try_out(corpus, workload_of(corpus), 2)
    assert 300 < machine.signature < 4 * 112 + 60  # equal signatures of a file are stored as one
    assert 1e-9 < machine.sign_byte < 1e-6
    assert 0.1 < machine.slower < 20


def test_more_of_anything_costs_more_and_workers_share_it(corpus):
    workload = workload_of(corpus)
    one = foretold(corpus, workload, MACHINE, 2)
    ten = dataclasses.replace(workload, documents=10**8, text_bytes=10**12, unsigned_bytes=10**12, dumps=workload.dumps)
    many = foretold(corpus, ten, MACHINE, 2)
    for name in ("signature_bytes", "shuffle_bytes", "core_seconds", "local_memory", "worker_memory"):
        assert getattr(many, name) > getattr(one, name)
    assert many.core_seconds < many.seconds(1) < 2 * many.core_seconds
    assert many.seconds(100) < many.seconds(10) < many.seconds(2) < many.seconds(1)
    assert many.seconds(10**6) >= many.start_up_seconds
    signed = foretold(corpus, dataclasses.replace(ten, unsigned_bytes=0), MACHINE, 2)
    assert signed.core_seconds == pytest.approx(many.core_seconds - 10**12 * MACHINE.sign_byte)


def test_more_partitions_need_less_memory_each(corpus):
    workload = dataclasses.replace(workload_of(corpus), documents=10**9)
    few, many = (with_dedup(corpus, components="rounds", partitions=partitions) for partitions in (50, 400))
    needed = [foretold(each, workload, MACHINE, 2).worker_memory for each in (few, many)]
    coarse, fine = (memory - COSTS.base - COSTS.reading for memory in needed)
    assert coarse / 8.1 < fine < coarse / 7.9


def test_rounds_shuffle_more_and_need_no_worker_with_all_pairs(corpus):
    workload = dataclasses.replace(workload_of(corpus), documents=10**9)
    found = {
        components: foretold(with_dedup(corpus, components=components, partitions=4096), workload, MACHINE, 2)
        for components in ("auto", "one-worker", "rounds")
    }
    pairs = 2 * COSTS.pairs_a_copy * found["auto"].removed
    assert pairs > corpus.config.dedup.max_pairs_in_memory and found["auto"] == found["rounds"]
    assert found["one-worker"].worker_memory > pairs * COSTS.united_pair > 10 * found["rounds"].worker_memory
    more = found["rounds"].shuffle_bytes - found["one-worker"].shuffle_bytes
    assert more > 2 * pairs * COSTS.edge
    few = dataclasses.replace(workload, documents=10**6)
    auto, alone = (foretold(with_dedup(corpus, components=how), few, MACHINE, 2) for how in ("auto", "one-worker"))
    assert auto == alone


def with_dedup(corpus, **settings):
    dedup = corpus.config.dedup.model_copy(update=settings)
    return Corpus(corpus.config.model_copy(update={"dedup": dedup}))


def test_settings_that_ask_for_more_cost_more(corpus):
    workload = workload_of(corpus)
    plain = foretold(corpus, workload, MACHINE, 2)
    for more in ({"verify": "exact"}, {"both_orders": True}, {"bands": 28}, {"rows": 16}):
        found = foretold(with_dedup(corpus, **more), workload, MACHINE, 2)
        assert found.shuffle_bytes > plain.shuffle_bytes and found.core_seconds > plain.core_seconds
    assert foretold(with_dedup(corpus, urls=True), workload, MACHINE, 2).shuffle_bytes > plain.shuffle_bytes
    assert foretold(with_dedup(corpus, verify="off"), workload, MACHINE, 2).shuffle_bytes < plain.shuffle_bytes
    alone = foretold(with_dedup(corpus, scope="per-dump"), workload, MACHINE, 2)
    assert alone.removed == round(0.222 * workload.documents) and alone.shuffle_bytes < plain.shuffle_bytes


def test_the_share_of_copies_is_the_reference_table_s():
    assert share_assumed(1) == pytest.approx(0.222)
    assert share_assumed(41) == pytest.approx(0.816)
    assert 0.467 < share_assumed(4) < 0.557
    assert share_assumed(500) == pytest.approx(0.898)


def test_a_person_reads_a_table_and_nothing_is_written(corpus):
    before = storage.list_files(corpus.config.output)
    told = shown(corpus, "dedup")
    assert storage.list_files(corpus.config.output) == before
    assert "deduplication, foretold" in told and "1,500" in told and "work of one core" in told
    assert "assumed: DeepSeek LLM's at as many dumps" in told
    assert "64 workers" not in told and "`--workers N`" in told
    engine = corpus.config.engine.model_copy(update={"workers": 64})
    told = shown(Corpus(corpus.config.model_copy(update={"engine": engine})), "dedup")
    assert "64 workers like its" in told and "each" in told
    assert "foretold" not in shown(corpus, "filter")


def test_what_is_done_is_not_foretold(tmp_path):
    done = new_corpus(tmp_path / "out")
    write_documents(GeneratedCorpus(300, dumps=1), done)
    stages.run(done, ["dedup"], Silent())
    told = shown(done, "dedup")
    assert "foretold" not in told and "up to date: nothing of them is left" in told
    workload, counts = workload_of(done), done.manifest("clusters")["counts"]
    assert workload.unsigned_bytes == 0
    assert workload.removed_share == counts["removed"] / counts["documents"]
    assert foretold(done, workload, MACHINE, 2).removed == counts["removed"]


def with_engine(corpus, workers):
    return Corpus(
        corpus.config.model_copy(update={"engine": corpus.config.engine.model_copy(update={"workers": workers})})
    )


def test_a_dump_that_is_added_is_foretold(tmp_path):
    """28 files, 4 of them new: what is ingested is counted, what is new told from samples; the rest costs nothing."""
    three = GeneratedCorpus(900, dumps=3, files=2)
    source = {"name": "generated", "format": "parquet", "paths": [write_parquet(three, tmp_path / "in")]}
    corpus = Corpus(config_file.parse({"name": "grows", "output": str(tmp_path / "out"), "sources": [source]}))
    last = tmp_path / "in" / sorted(path.name for path in (tmp_path / "in").iterdir())[-1]
    last.rename(tmp_path / "later")
    stages.run(corpus, ["ingest", "dedup"], Silent())
    counts = corpus.manifest("documents")["counts"]
    assert "up to date" in shown(corpus, "ingest", "dedup").splitlines()[-1]
    first = next(tmp_path.glob("in/*/00001.parquet"))
    first.rename(tmp_path / "gone")
    fewer = workload_of(dataclasses.replace(corpus, read_only=True), ingesting=True)
    assert fewer.parts == 3 and not (fewer.new_files or fewer.clustered) and fewer.unmatched_share > 0
    (tmp_path / "gone").rename(first)
    (tmp_path / "later").rename(last)
    workload = workload_of(dataclasses.replace(corpus, read_only=True), ingesting=True)
    assert (workload.parts, workload.new_files, workload.dumps) == (6, 2, 3)
    assert workload.documents - workload.new_documents == counts["documents"]
    assert workload.documents == pytest.approx(900, rel=0.1)
    assert workload.unsigned_bytes == workload.text_bytes - counts["text_bytes"] > 0
    assert workload.unmatched_share == pytest.approx(workload.new_documents / workload.documents)
    left, whole = (foretold(corpus, each, MACHINE, 2) for each in (workload, workload.anew))
    assert left.core_seconds < whole.core_seconds and left.shuffle_bytes < whole.shuffle_bytes
    told = shown(corpus, "ingest", "dedup")
    assert f"documents, {counts['documents']:,} counted, about {workload.new_documents:,} in 2 new files" in told
    assert "left for this run" in told and "all anew" in told
    assert "up to date: nothing of them is left" in shown(corpus, "dedup")
    stages.run(corpus, ["ingest", "dedup"], Silent())
    assert corpus.manifest("documents")["counts"]["documents"] == pytest.approx(workload.documents, rel=0.1)


def test_jobs_that_are_done_cost_nothing_and_other_settings_tell_no_share(tmp_path):
    done = new_corpus(tmp_path / "out")
    write_documents(GeneratedCorpus(300, dumps=2), done)
    stages.run(done, ["dedup"], Silent())
    clusters_left = with_dedup(done, max_chain=7)
    workload = workload_of(clusters_left)
    assert (workload.unsigned_bytes, workload.unmatched_share, workload.clustered) == (0, 0, False)
    left, whole = (foretold(done, each, MACHINE, 2) for each in (workload, workload.anew))
    assert COSTS.start_up < left.core_seconds < whole.core_seconds
    assert left.shuffle_bytes < whole.shuffle_bytes / 2
    assert workload_of(with_dedup(done, scope="per-dump")).removed_share is None
    assert "assumed: DeepSeek LLM's at one dump" in shown(with_dedup(done, scope="per-dump"), "dedup")
    told = shown(with_engine(done, 64), "dedup")
    assert "up to date" in told and "all anew, 64 workers" in told and "left for this run" not in told
    assert "0 B" not in shown(clusters_left, "dedup")


def test_inputs_without_a_document_are_said_so(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n')
    source = {"name": "a", "format": "jsonl", "paths": [str(tmp_path / "a.jsonl")]}
    raw = {"name": "nothing", "output": str(tmp_path / "out"), "sources": [source]}
    assert "dedup cannot be foretold: there is no document" in shown(Corpus(config_file.parse(raw)), "ingest", "dedup")
