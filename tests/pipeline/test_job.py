"""The mechanism under every job: what is done is not done again, and what is not done is."""

import dataclasses
import errno

import pytest

from pipeline import job, manifests, storage
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.storage import StoredFile


@pytest.fixture
def corpus(tmp_path):
    raw = {"name": "test", "output": str(tmp_path / "out"), "sources": [{"name": "s", "format": "wet", "paths": ["x"]}]}
    return Corpus(CorpusConfig.model_validate(raw))


def log(corpus):
    path = corpus.path("log")
    return open(path).read().split() if storage.exists(path) else []


def copy_job(inputs, fail=(), error=None, version=1, setting=1):
    """A job that writes its argument in capitals, notes each call in a log, and fails on some tasks."""

    def plan(corpus):
        return [Task(name, {"text": text}, (StoredFile(name, 1, text),)) for name, text in inputs.items()]

    def work(task, settings, corpus):
        with open(corpus.path("log"), "a") as file:
            file.write(task.name + "\n")
        if task.name in fail:
            raise error or GristmillError(f"cannot do {task.name}")
        with storage.atomic_write(corpus.path(f"copies/{task.name}")) as file:
            file.stream.write(task.arguments["text"].upper().encode())
        return Outcome({"documents": 1}, {}, (corpus.stored(file),))

    return Job("copy", "copies", version, lambda config: {"setting": setting}, plan, work)


def contents(corpus):
    files = storage.list_files(corpus.folder("copies"))
    return {name: open(corpus.path(f"copies/{name}")).read() for name in files if name != manifests.MANIFEST}


def test_runs_once_and_only_what_changed(corpus):
    assert job.run(copy_job({"a": "one", "b": "two"}), corpus) is True
    assert contents(corpus) == {"a": "ONE", "b": "TWO"}
    manifest = corpus.manifest("copies")
    assert manifest["counts"] == {"documents": 2}
    assert {file["path"] for file in manifest["files"]} == {"copies/a", "copies/b"}

    assert job.run(copy_job({"a": "one", "b": "two"}), corpus) is False
    assert sorted(log(corpus)) == ["a", "b"]

    assert job.run(copy_job({"a": "one", "b": "changed", "c": "new"}), corpus) is True
    assert contents(corpus) == {"a": "ONE", "b": "CHANGED", "c": "NEW"}
    assert sorted(log(corpus)[2:]) == ["b", "c"]

    assert job.run(copy_job({"c": "new"}), corpus) is True  # tasks that are gone take their files with them
    assert contents(corpus) == {"c": "NEW"}
    assert len(log(corpus)) == 4


@pytest.mark.parametrize("change", [{"version": 2}, {"setting": 2}])
def test_another_version_or_setting_runs_all_again(corpus, change):
    job.run(copy_job({"a": "one", "b": "two"}), corpus)
    assert job.run(copy_job({"a": "one", "b": "two"}, **change), corpus) is True
    assert sorted(log(corpus)) == ["a", "a", "b", "b"]


def test_a_failed_run_keeps_finished_tasks(corpus):
    inputs = {name: name for name in "abcdef"}
    with pytest.raises(GristmillError, match=r"^cannot do d$"):
        job.run(copy_job(inputs, fail={"d"}), corpus)
    with pytest.raises(GristmillError, match="not finished"):
        corpus.receipts("copies")
    done = set(manifests.known_receipts(corpus.folder("copies")))
    before = len(log(corpus))
    assert job.run(copy_job(inputs), corpus) is True
    assert set(log(corpus)[before:]) == set(inputs) - done
    assert contents(corpus) == {name: name.upper() for name in inputs}


def test_a_missing_or_cut_file_is_made_again(corpus):
    inputs = {"a": "one", "b": "two", "c": "three"}
    job.run(copy_job(inputs), corpus)
    storage.delete([corpus.path("copies/a")])
    with open(corpus.path("copies/b"), "w") as file:
        file.write("T")
    assert job.run(copy_job(inputs), corpus) is True
    assert contents(corpus) == {"a": "ONE", "b": "TWO", "c": "THREE"}
    assert sorted(log(corpus)[3:]) == ["a", "b"]


def test_a_reverted_config_after_a_killed_run_is_not_mistaken_for_done(corpus):
    job.run(copy_job({"a": "one", "b": "two"}), corpus)
    with pytest.raises(GristmillError):
        job.run(copy_job({"a": "uno", "b": "due"}, fail={"b"}), corpus)
    assert job.run(copy_job({"a": "one", "b": "two"}), corpus) is True
    assert contents(corpus) == {"a": "ONE", "b": "TWO"}


def test_a_damaged_manifest_or_receipt_means_do_it_again(corpus):
    job.run(copy_job({"a": "one"}), corpus)
    with open(corpus.path("copies/manifest.json"), "w") as file:
        file.write("{")
    with storage.atomic_write(corpus.path("copies/receipts/a.json")) as file:
        file.stream.write(b"[]")
    assert job.run(copy_job({"a": "one"}), corpus) is True
    assert contents(corpus) == {"a": "ONE"}


def test_a_full_disk_is_one_line_with_a_remedy(corpus):
    full = OSError(errno.ENOSPC, "No space left on device", "out/part")
    with pytest.raises(GristmillError, match=r"no space left .* out/part: free some space"):
        job.run(copy_job({"a": "one"}, fail={"a"}, error=full), corpus)


def test_a_defect_keeps_its_own_traceback(corpus):
    with pytest.raises(Exception, match="a defect"):
        job.run(copy_job({"a": "one"}, fail={"a"}, error=ZeroDivisionError("a defect")), corpus)


def test_a_second_run_on_one_folder_is_refused(corpus):
    with corpus.locked(), pytest.raises(GristmillError, match="in use by another run"), corpus.locked():
        pass
    with corpus.locked():
        pass


def test_another_corpus_folder_is_refused(corpus, tmp_path):
    corpus.claim()
    corpus.claim()
    other = Corpus(corpus.config.model_copy(update={"name": "other"}))
    with pytest.raises(GristmillError, match="holds the corpus `test`, and this config is named `other`"):
        other.claim()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.tex").write_text("x")
    with pytest.raises(GristmillError, match=r"not empty \(thesis.tex\)"):
        Corpus(corpus.config.model_copy(update={"output": str(strange)})).claim()


def test_dumps_keep_their_index(corpus):
    assert corpus.register_dumps(["2021", "2020"]) == ["2020", "2021"]
    assert corpus.register_dumps(["2019", "2021"]) == ["2020", "2021", "2019"]
    assert corpus.dumps() == ["2020", "2021", "2019"]


def test_a_file_of_the_summary_is_made_again(corpus):
    def summarise(corpus, outcomes):
        index = storage.write_json(corpus.path("copies/index.json"), {"files": len(outcomes)})
        return Outcome({"documents": len(outcomes)}, {}, (index._replace(path="copies/index.json"),))

    with_index = dataclasses.replace(copy_job({"a": "one"}), summarise=summarise)
    assert job.run(with_index, corpus) is True
    assert job.run(with_index, corpus) is False
    storage.delete([corpus.path("copies/index.json")])
    assert job.run(with_index, corpus) is True
    assert storage.read_json(corpus.path("copies/index.json")) == {"files": 1}
    assert log(corpus) == ["a"]


def test_a_setting_of_the_summary_alone_does_no_task_again(corpus):
    limits = iter([1, 1, 2])
    limited = dataclasses.replace(copy_job({"a": "one"}), summary_settings=lambda config: {"limit": next(limits)})
    assert [job.run(limited, corpus) for _ in range(3)] == [True, False, True]
    assert log(corpus) == ["a"]


def test_a_task_that_asks_to_be_tried_again_is(corpus):
    once = copy_job({"a": "one"})

    def work(task, settings, corpus):
        outcome = once.work(task, settings, corpus)
        return dataclasses.replace(outcome, details={"retry": len(log(corpus)) < 2})

    again = dataclasses.replace(once, work=work)
    assert [job.run(again, corpus) for _ in range(3)] == [True, True, False]


def test_what_is_no_longer_asked_for_leaves_no_trace(corpus):
    made = copy_job({"a": "one"})
    job.run(made, corpus)
    assert contents(corpus)
    job.clear(made, corpus)
    assert storage.list_files(corpus.folder("copies")) == {}
    assert job.run(made, corpus) is True
    assert contents(corpus) == {"a": "ONE"}


def test_jobs_that_come_before_run_one_by_one_and_only_where_there_is_something_to_do(corpus):
    made = copy_job({"a": "one"})
    names = []

    def before(corpus):
        for number in (1, 2):
            names.append(f"round {number}")
            yield dataclasses.replace(copy_job({"b": "two"}), name=f"round {number}", folder=f"rounds/{number}")
            assert corpus.manifest(f"rounds/{number}")["stage"] == f"round {number}"  # done by now

    after = dataclasses.replace(made, before=before)
    assert [job.run(after, corpus), job.run(after, corpus)] == [True, False]
    assert names == ["round 1", "round 2"]
