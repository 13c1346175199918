"""Records of measurements: of committed trees only, and without the folders of the machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import record


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit; results are kept in its benchmarks/results."""
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (tmp_path / "code.py").write_text("1\n")
    for arguments in (["init"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "1"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setattr(record, "RESULTS", results)
    return tmp_path


def test_a_record_of_a_committed_tree_is_kept_and_does_not_hinder_the_next(repository: Path) -> None:
    for benchmark in ("one", "two"):
        file = record.write_record({"benchmark": benchmark, "commit": record.commit()})
        assert len(json.loads(file.read_text())["commit"]) >= 7


@pytest.mark.parametrize("changed", ["code.py", "new.py"])
def test_a_record_of_a_tree_with_changes_is_refused_in_one_sentence(repository: Path, changed: str) -> None:
    (repository / changed).write_text("2\n")
    assert str(record.commit()).endswith("-dirty")
    with pytest.raises(SystemExit, match=r"^error: --write keeps only what a commit describes; [^\n]*\.$"):
        record.write_record({"benchmark": "one"})
    assert not list(record.RESULTS.iterdir())


def test_a_record_names_no_folder_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["x", str(tmp_path / "falcon-7b.json"), str(tmp_path / "ck 4"), "--layers", "4"])
    made = record.command("random_checkpoint")
    assert made == "python -m benchmarks.random_checkpoint falcon-7b.json 'ck 4' --layers 4"
    index = {"metadata": {"command": made}, "weight_map": {}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert record.checkpoint_command(tmp_path) == made
    assert record.checkpoint_command(tmp_path / "another") is None
