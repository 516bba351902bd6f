"""The file in which Prometheus finds the fleet: whole or not at all, readable by others, and an error that names the variable."""

import json
import os
import stat
from pathlib import Path

import pytest

from kabobagool.hydra.targets import TargetsError, write_targets

LABELS = {"mode": "live", "job": "kabobagool"}


def test_the_file_is_a_list_of_one_target_group_and_empty_when_there_is_no_target(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "yet" / "targets.json"
    write_targets(path, target="127.0.0.1:8000", labels=LABELS)
    assert json.loads(path.read_text()) == [{"targets": ["127.0.0.1:8000"], "labels": {"job": "kabobagool", "mode": "live"}}]
    write_targets(path, target=None, labels=LABELS)
    assert json.loads(path.read_text()) == []


def test_other_users_may_read_it_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_targets(tmp_path / "targets.json", target="a:1", labels=LABELS)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "targets.json").stat().st_mode) == 0o644


def test_a_reader_that_has_the_old_file_open_never_sees_half_of_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    write_targets(path, target="old:1", labels=LABELS)
    with path.open() as reader:
        write_targets(path, target="new:2", labels={**LABELS, "profile": "x" * 10_000})
        assert json.loads(reader.read())[0]["targets"] == ["old:1"]
    assert json.loads(path.read_text())[0]["targets"] == ["new:2"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "targets.json"
    write_targets(path, target="old:1", labels=LABELS)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TargetsError, match=r"TARGETS_PATH=.*targets\.json: cannot be written \(No space left on device\)"):
        write_targets(path, target="new:2", labels=LABELS)
    assert json.loads(path.read_text())[0]["targets"] == ["old:1"]
    assert os.listdir(tmp_path) == ["targets.json"]


def test_a_path_that_is_a_folder_or_below_a_file_is_an_error_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "targets.json", tmp_path / "folder"):
        with pytest.raises(TargetsError, match="name a file in a folder this user may write to"):
            write_targets(path, target="a:1", labels=LABELS)
