"""What benchmarks say of themselves: targets are compared, and no check is true whatever happened."""

import pytest

from benchmarks import encode, harness, pretokenizers, train_tokenizer
from tokenizer.deepseek_classes import REPAIRS


def test_targets_are_compared_with_what_was_measured(capsys):
    speeds = {("gristmill", "deepseek-llm, mixed, cold"): 61.0, ("gristmill", "deepseek-llm, mixed, warm"): 99.0}
    ratios = {"tokenizers, deepseek-llm, mixed, cold": 40.0, "tokenizers, deepseek-llm, mixed, warm": 70.0}
    found = harness.against(encode.TARGETS, encode.measured_for(speeds, ratios))
    assert found["mixed, cold"] == {"target": 60, "measured": 61.0, "met": True}
    assert found["mixed, warm"] == {"target": 100, "measured": 99.0, "met": False}
    assert found["ratio to tokenizers"] == {"target": 50, "measured": 40.0, "met": False}
    assert harness.against({"mixed, cold": 60}, {})["mixed, cold"]["met"] is None
    assert harness.finish({"results": [], "checks": {}, "targets": found}, False) == 0
    assert "MISSED       target mixed, warm: 100, measured 99.0" in capsys.readouterr().out


@pytest.mark.parametrize(("tokens", "code"), [(400, 0), (399, 1)])
def test_a_training_without_its_peer_is_checked_too(tokens, code, monkeypatch):
    told = {"seconds": 1, "processor": 1, "peak_mb": 1, "idle_mb": 1, "pieces": 9, "count": 1, "add up": 1, "merge": 1}
    monkeypatch.setattr(train_tokenizer, "_written", lambda folder, size: (1, size))
    monkeypatch.setattr(train_tokenizer, "_child", lambda *_: told | {"tokens": tokens})
    monkeypatch.setattr("sys.argv", ["x", "--bytes", "1M", "--vocabulary", "400", "--peer-up-to", "1K"])
    assert train_tokenizer.main() == code


def test_every_repair_is_measured_alone_and_left_out():
    names = pretokenizers.variants()
    assert {f"deepseek-llm-mended, all but {repair}" for repair in REPAIRS} <= names.keys()
    assert {f"deepseek-llm, only {repair} repaired" for repair in REPAIRS} <= names.keys()
    assert len({each.fingerprint for each in names.values()}) == len(names)
