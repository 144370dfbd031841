"""Files appear whole or not at all, on local disk."""

import errno
import hashlib
import json

import pytest

from pipeline import storage


def test_a_written_file_is_described_by_its_content(tmp_path):
    path = str(tmp_path / "deep" / "er" / "file.bin")
    with storage.atomic_write(path) as file:
        file.stream.write(b"grist")
        file.stream.write(memoryview(b"mill"))
        assert not storage.exists(path)
    assert file.stored == (path, 9, hashlib.sha256(b"gristmill").hexdigest())
    assert storage.sha256_of(path) == file.stored.sha256
    assert storage.list_files(str(tmp_path)) == {"deep/er/file.bin": 9}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = str(tmp_path / "file.json")
    storage.write_json(path, {"b": 1, "a": "漢"})
    with pytest.raises(KeyError), storage.atomic_write(path) as file:
        file.stream.write(b"half")
        raise KeyError
    assert storage.read_json(path) == {"a": "漢", "b": 1}
    assert list(storage.list_files(str(tmp_path))) == ["file.json"]


def test_a_full_disk_names_the_file(tmp_path):
    path = str(tmp_path / "file.bin")
    with pytest.raises(OSError, match="No space") as caught, storage.atomic_write(path) as file:
        file.stream.file.close()
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == path
    assert storage.list_files(str(tmp_path)) == {}


def test_equal_values_are_equal_bytes(tmp_path):
    one = storage.write_json(str(tmp_path / "one"), {"x": 1, "y": [1.5, None]})
    two = storage.write_json(str(tmp_path / "two"), {"y": [1.5, None], "x": 1})
    assert one.sha256 == two.sha256
    assert json.loads((tmp_path / "one").read_text()) == {"x": 1, "y": [1.5, None]}


def test_missing_and_damaged_json(tmp_path):
    with pytest.raises(FileNotFoundError):
        storage.read_json(str(tmp_path / "none"))
    (tmp_path / "damaged").write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        storage.read_json(str(tmp_path / "damaged"))
    assert storage.list_files(str(tmp_path / "nowhere")) == {}
