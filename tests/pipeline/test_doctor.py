"""gristmill doctor: each check on machines that have and that lack what it looks for."""

import io
import os
import stat
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline import doctor


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch):
    """Makes packages look absent."""

    def hide(*names: str) -> None:
        known_version, known_spec = doctor._version, doctor.importlib.util.find_spec
        monkeypatch.setattr(doctor, "_version", lambda name: None if name in names else known_version(name))
        monkeypatch.setattr(
            doctor.importlib.util, "find_spec", lambda name, *rest: None if name in names else known_spec(name, *rest)
        )

    return hide


def test_this_machine_passes_and_every_shortcoming_has_a_remedy(tmp_path: Path) -> None:
    found = doctor.checks(tmp_path)
    assert [check.name for check in found][:9] == [
        "Python", "Cores", "Memory", "Disk", "Packages", "Kernel cache", "Local engine", "Language model", "fastText",
    ]  # fmt: skip
    assert list(doctor.failed(found)) == []
    for check in found:
        assert check.detail
        assert bool(check.remedy) == (check.status != "ok"), check


def test_the_local_engine_is_really_run() -> None:
    assert doctor.local_engine().status == "ok"


def test_an_engine_that_breaks_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no port\nsecond line")

    monkeypatch.setattr("apache_beam.runners.portability.fn_api_runner.FnApiRunner.run_pipeline", broken)
    check = doctor.local_engine()
    assert check.status == "missing" and check.detail == "FnApiRunner fails: no port" and check.remedy


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    check = doctor.python()
    assert check.status == "missing" and "3.10" in check.remedy
    assert list(doctor.failed([check])) == [check]


def test_a_container_limits_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/sys/fs/cgroup/cpu.max": "50000 100000\n",
        "/sys/fs/cgroup/memory.max": "1073741824\n",
        "/proc/meminfo": "MemTotal:       25165824 kB\nMemAvailable:   20971520 kB\n",
    }
    monkeypatch.setattr(doctor, "_read", lambda path: files.get(str(path), ""))
    assert doctor.cores().status == "warning" and "0.5" in doctor.cores().detail
    assert doctor.memory().status == "warning" and doctor.memory().detail.startswith("1.0 GiB")
    files["/sys/fs/cgroup/cpu.max"], files["/sys/fs/cgroup/memory.max"] = "max 100000\n", "max\n"
    assert doctor.cores().status == "ok"
    assert doctor.memory() == doctor.Check("Memory", "ok", "24.0 GiB, 20.0 GiB free")
    files.clear()
    assert doctor.memory().status == "warning"


def test_an_output_folder_need_not_exist_yet(tmp_path: Path) -> None:
    check = doctor.disk(tmp_path / "not" / "yet")
    assert check.status in ("ok", "warning") and str(tmp_path) in check.detail


def test_a_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1 << 30})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert doctor.disk(tmp_path).status == "warning"


def test_a_kernel_cache_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert doctor.numba_cache() == doctor.Check("Kernel cache", "ok", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    (tmp_path / "file").write_text("in the way")
    check = doctor.numba_cache()
    assert check.status == "warning" and "NUMBA_CACHE_DIR" in check.remedy


@pytest.mark.parametrize(
    ("check", "package", "remedy"),
    [
        (doctor.packages, "pyarrow", "pip install gristmill"),
        (doctor.train, "torch", "gristmill[train]"),
        (doctor.gpu, "torch", "gristmill[train]"),
        (doctor.spark, "pyspark", "gristmill[spark]"),
        (doctor.gcp, "google-cloud-storage", "gristmill[gcp]"),
        (doctor.aws, "boto3", "gristmill[aws]"),
        (doctor.bench, "rensa", "gristmill[bench]"),
        (doctor.compiler, "fasttext", "pip install fasttext"),
    ],
)
def test_what_is_not_installed_is_missing_and_its_extra_named(without, check, package: str, remedy: str) -> None:
    without(package)
    found = check()
    assert found.status == "missing" and remedy in found.remedy


def test_torch_without_triton_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", {"torch": "2.6.0"}.get)
    assert doctor.train().status == "warning"


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ('openjdk version "17.0.15" 2025-04-15', "ok"),
        ('java version "1.8.0_402"', "ok"),
        ('openjdk version "24" 2025-03-18', "warning"),
        ("", "missing"),
    ],
)
def test_spark_needs_a_java_it_was_made_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: str
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(doctor, "_version", {"pyspark": "3.5.5"}.get)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert doctor.spark().status == status


def test_no_java_at_all_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", {"pyspark": "3.5.5"}.get)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    assert doctor.spark().status == "missing"
    monkeypatch.setenv("JAVA_HOME", os.fspath(tmp_path))
    assert doctor.spark().status == "missing"


def test_devices_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    for said, status in (("NVIDIA H200, 140 GiB, compute capability 9.0\n", "ok"), ("", "warning"), (None, "warning")):
        monkeypatch.setattr(doctor, "_output", lambda _, said=said: said)
        assert doctor.gpu().status == status


def test_the_table_shows_every_check_and_remedy() -> None:
    found = [doctor.Check("One", "ok", "fine"), doctor.Check("Two", "missing", "[not markup]", "do this")]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(doctor.table(found))
    shown = console.export_text()
    assert "✓" in shown and "✗" in shown and "[not markup]" in shown and "→ do this" in shown
