"""A bundle appears whole or not at all: the same bytes every time, whatever was killed, refused or replaced before."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from export import space
from export.__main__ import main
from export.pipeline import ExportOptions, export
from export.progress import SilentProgress
from export.space import DiskError
from export.store import TensorStore
from export.verify import QualityError
from runtime.bundle import Bundle
from runtime.engines.local import LocalEngine
from runtime.errors import OptionError, UserFacingError
from tests import patience
from tests.conftest import Bundles, Checkpoints
from tests.tools import VOCAB_SIZE, copy_bundle, export_bundle, file_hashes, train_tokenizer

ROOT = Path(__file__).parents[2]
FIRST = "transformer.word_embeddings.weight.lut8-32-plain"
_DIE = """
import os, signal, sys
def look(event, arguments):
    if event != "os.kill" and os.path.exists({path!r}):
        os.kill(os.getpid(), signal.SIGKILL)
if "export" in sys.orig_argv:
    sys.addaudithook(look)
"""


class At(SilentProgress):
    """Does something once when a stage begins."""

    def __init__(self, stage: str, action: Callable[[], object]) -> None:
        self._stage = stage
        self._action = action
        self.happened = False

    def start(self, stage: str, total: int, unit: str) -> None:  # noqa: ARG002
        if stage == self._stage and not self.happened:
            self.happened = True
            self._action()


class Both(SilentProgress):
    """Tells two."""

    def __init__(self, *told: At) -> None:
        self._told = told

    def start(self, stage: str, total: int, unit: str) -> None:
        for one in self._told:
            one.start(stage, total, unit)


def tensor_times(work: Path) -> dict[str, int]:
    """When each finished tensor was finished; empty where the folder vanishes meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        finished = [f for f in (work / "tensors").glob("*/tensor.json") if f.parent.suffix != ".partial"]
        return {file.parent.name: file.stat().st_mtime_ns for file in finished}
    return {}


def start(source: Path, output: Path, hash_seed: int, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "export", str(source), "--output", str(output), "--progress", "json"]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), **more}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def kill_itself_when_there(path: Path, folder: Path) -> dict[str, str]:
    """The environment of an export that is killed as soon as it goes on after `path` was made, however late others
    would notice."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_DIE.format(path=str(path)), encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out" / "bundle"


def work_folder(output: Path) -> Path:
    (folder,) = (p for p in output.parent.iterdir() if p != output)
    return folder


def test_what_no_model_can_have_is_told_before_one_is_looked_for() -> None:
    with pytest.raises(OptionError, match="--weights lut5 is unknown"):
        export("no-such-model", ExportOptions(weights="lut5"), SilentProgress())
    with pytest.raises(OptionError, match="--max-kl must be a number above 0"):
        export("no-such-model", ExportOptions(max_kl=-1.0), SilentProgress())


def test_what_a_mac_puts_beside_files_on_foreign_disks_is_read_for_none_and_no_part_of_the_bundle(
    checkpoints: Checkpoints, bundles: Bundles, output: Path
) -> None:
    def leave() -> None:
        work = work_folder(output)
        files = [*work.rglob("*.npy"), work / "bundle" / "tokenizer.json"]
        assert len(files) > 2
        for file in files:
            file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7")

    progress = At("convert", leave)
    export(str(checkpoints("7b")), ExportOptions(output=output), progress)
    assert progress.happened
    assert (output / "manifest.json").read_bytes() == (bundles("7b", "lut4") / "manifest.json").read_bytes()


def test_killed_at_any_moment_it_goes_on_and_gives_the_same_bytes(
    checkpoints: Checkpoints, bundles: Bundles, output: Path, tmp_path: Path
) -> None:
    source, done = checkpoints("7b"), dict[str, int]()
    work = output.parent / ".bundle.falconet-work"
    package = work / "bundle" / "model.mlpackage"
    moments = [
        work / "tensors" / FIRST / "tensor.json",  # in the middle of the tensors
        work / "temporary",  # while converting
        package / "Data/com.apple.CoreML/weights/weight.bin",  # before it is verified
    ]
    for hash_seed, moment in enumerate(moments, start=1):
        process = start(source, output, hash_seed, **kill_itself_when_there(moment, tmp_path / str(hash_seed)))
        process.communicate(timeout=patience.SECONDS)
        assert process.returncode == -signal.SIGKILL
        assert list(output.parent.iterdir()) == [work], "nothing but the work stands there"
        times = tensor_times(work)
        assert FIRST in times
        assert done.items() <= times.items(), "a finished tensor is not made again"
        done = times
    process = start(source, output, hash_seed=9)
    last = done
    while process.poll() is None:
        last = tensor_times(work) or last
        time.sleep(0.01)
    assert process.returncode == 0
    assert last.items() <= done.items(), "up to the end, when they are cleared away"
    assert process.communicate()[0].strip() == str(output)
    assert list(output.parent.iterdir()) == [output], "the work is gone"
    # Made by this process, which has another hash seed and was never interrupted.
    assert file_hashes(output) == file_hashes(bundles("7b", "lut4"))
    Bundle.open(output).verify()


class StopError(Exception):
    """Raised to leave an export at some stage."""


def stop() -> None:
    raise StopError


def stop_after_compression(source: Path, options: ExportOptions) -> dict[str, int]:
    """When each tensor was finished that the work folder holds before the package is made."""
    assert options.output is not None
    with pytest.raises(StopError):
        export(str(source), options, At("convert", stop))
    return tensor_times(work_folder(options.output))


def test_a_finished_tensor_is_used_by_every_option_that_leaves_it_the_same(
    checkpoints: Checkpoints, bundles: Bundles, output: Path
) -> None:
    source, options = checkpoints("7b"), ExportOptions(output=output)
    first = stop_after_compression(source, options)
    assert set(first) == {name for name in first if name.endswith((".fp16", ".lut4-32-plain", ".lut8-32-plain"))}
    assert stop_after_compression(source, replace(options, context_length=32, max_kl=100.0)) == first
    shared = {name: time for name, time in first.items() if not name.endswith(".lut4-32-plain")}
    assert FIRST in shared
    other = stop_after_compression(source, replace(options, weights="lut6"))
    assert shared.items() <= other.items()
    assert len(other) == len(first), "what the recipe has no use for is gone"
    assert shared[FIRST] not in stop_after_compression(source, replace(options, group_size=16)).values()
    export(str(source), options, SilentProgress())
    assert file_hashes(output) == file_hashes(bundles("7b", "lut4"))


def test_another_checkpoint_does_not_go_on_with_the_work_of_the_first(checkpoints: Checkpoints, output: Path) -> None:
    first = stop_after_compression(checkpoints("7b"), ExportOptions(output=output))
    second = stop_after_compression(checkpoints("7b-biased"), ExportOptions(output=output))
    assert not set(first.values()) & set(second.values())


def test_another_tokenizer_reaches_the_bundle_and_the_calibration(
    checkpoints: Checkpoints, output: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(checkpoints("7b"), tmp_path / "source"))
    (tmp_path / "text").write_text("The quick brown fox jumps over the lazy dog. " * 30)
    options = ExportOptions(output=output, verify=False, calibrate=tmp_path / "text")
    for recorded in (True, False):
        calibrates = At("calibrate", lambda: None)
        with contextlib.suppress(StopError):
            export(str(source), options, Both(calibrates, At("convert", stop)))
        assert calibrates.happened is recorded
    raw = json.loads((source / "tokenizer.json").read_text())
    raw["model"]["merges"] = raw["model"]["merges"][:20]
    (source / "tokenizer.json").write_text(json.dumps(raw))
    calibrates = At("calibrate", lambda: None)
    export(str(source), options, calibrates)
    assert calibrates.happened
    assert (output / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
    Bundle.open(output).verify()


@pytest.mark.parametrize("stage", ["convert", "save"])
def test_a_disk_that_fills_up_is_one_sentence_and_the_next_run_goes_on(
    checkpoints: Checkpoints, bundles: Bundles, small_disk: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(space, "_MARGIN", 0)  # or so small a disk is refused before anything is done
    output, options = small_disk / "bundle", ExportOptions(output=small_disk / "bundle", verify=False)

    def fill() -> None:
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12))

    with pytest.raises(DiskError, match=r"^The disk of .* is full; free some space and try again"):
        export(str(checkpoints("7b")), options, At(stage, fill))
    (small_disk / "filler").unlink()
    work = work_folder(output)
    assert not (work / "bundle").exists()
    kept = tensor_times(work)
    assert FIRST in kept
    again: list[dict[str, int]] = []
    export(str(checkpoints("7b")), options, At("convert", lambda: again.append(tensor_times(work))))
    assert again == [kept]
    weights = "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    assert file_hashes(output)[weights] == file_hashes(bundles("7b", "lut4"))[weights]
    assert list(small_disk.iterdir()) == [output]
    gc.collect()  # files that are still mapped keep the disk from being unmounted


def test_two_exports_at_once_are_refused_in_a_sentence_and_the_first_goes_on(
    checkpoints: Checkpoints, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []
    second = At("palettize", lambda: codes.append(main([str(checkpoints("7b")), "--output", str(output)])))
    export(str(checkpoints("7b")), ExportOptions(output=output, verify=False), second)
    assert codes == [1]
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"error: Another export is writing {output}; wait for it or name another --output."
    Bundle.open(output).verify()


def test_force_replaces_at_the_last_moment(checkpoints: Checkpoints, bundles: Bundles, output: Path) -> None:
    output.parent.mkdir()
    copy_bundle(bundles("7b", "int8"), output)
    before = file_hashes(output)
    during: list[dict[str, str]] = []
    progress = At("seal", lambda: during.append(file_hashes(output)))
    export(str(checkpoints("7b")), ExportOptions(output=output, force=True), progress)
    assert during == [before]
    assert file_hashes(output) == file_hashes(bundles("7b", "lut4"))
    assert list(output.parent.iterdir()) == [output]


def test_a_refused_replacement_leaves_the_old_bundle(checkpoints: Checkpoints, bundles: Bundles, output: Path) -> None:
    output.parent.mkdir()
    copy_bundle(bundles("7b", "int8"), output)
    before = file_hashes(output)
    with pytest.raises(UserFacingError, match="failed verification"):
        export_bundle(checkpoints("7b"), output, force=True, max_kl=0.01)
    assert file_hashes(output) == before
    assert set(output.parent.iterdir()) == {output, work_folder(output)}


@pytest.mark.parametrize("accepted", ["--max-kl", "--no-verify"])
def test_too_few_bits_are_refused_with_advice_that_goes_on_from_the_finished_weights(
    checkpoints: Checkpoints, output: Path, accepted: str
) -> None:
    source = str(checkpoints("7b"))
    with pytest.raises(
        QualityError,
        match=r"mean KL .* is 0\.\d+ nats, beyond the 0\.01 .*; .* with --max-kl [\d.]+ or --no-verify, which",
    ) as caught:
        export(source, ExportOptions(output=output, max_kl=0.01), SilentProgress())
    work = work_folder(output)
    assert str(caught.value).endswith(f"the finished weights in {work}.")
    assert list(output.parent.iterdir()) == [work], "no bundle, whole or half"
    assert not (work / "bundle").exists()
    kept = tensor_times(work)
    assert FIRST in kept
    proposed = re.search(r"--max-kl ([\d.]+) or", str(caught.value))
    assert proposed
    limit = float(proposed[1]) if accepted == "--max-kl" else None
    options = ExportOptions(output=output, max_kl=limit, verify=limit is not None)
    again: list[dict[str, int]] = []
    export(source, options, At("convert", lambda: again.append(tensor_times(work))))
    assert again == [kept], "no tensor was made again"
    Bundle.open(output).verify()
    assert list(output.parent.iterdir()) == [output]


def test_without_verification_the_bundle_says_so(checkpoints: Checkpoints, output: Path) -> None:
    export_bundle(checkpoints("7b"), output, verify=False)
    assert "Not verified" in (output / "README.md").read_text()
    assert set(Bundle.open(output).manifest.parity) == {"census", "relative_squared_error"}


def test_context_and_group_size_reach_the_bundle(checkpoints: Checkpoints, output: Path) -> None:
    export_bundle(checkpoints("7b"), output, context_length=16, group_size=16, weights="lut6", verify=False)
    manifest = Bundle.open(output).manifest
    assert manifest.context_length == 16
    entry = manifest.weights["transformer.h.0.mlp.dense_h_to_4h.weight"]
    assert entry.parts["codebook"].shape == (entry.shape[0] // 16, 64)


@pytest.mark.parametrize("variant", ["7b", "11b"])
def test_a_model_with_a_token_more_is_exported_all_the_same(
    checkpoints: Checkpoints, output: Path, tmp_path: Path, variant: str
) -> None:
    source = Path(shutil.copytree(checkpoints(variant), tmp_path / "source"))
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"vocab_size": VOCAB_SIZE + 1}))
    tensors = load_file(source / "model.safetensors")
    for name in {"transformer.word_embeddings.weight", "lm_head.weight"} & set(tensors):
        tensors[name] = torch.cat([tensors[name], tensors[name][:1]])
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    train_tokenizer(VOCAB_SIZE + 1).save(str(source / "tokenizer.json"))
    export_bundle(source, output)
    manifest = Bundle.open(output).manifest
    assert manifest.weights["transformer.word_embeddings.weight"].format == "int8"
    assert manifest.weights["transformer.h.0.mlp.dense_h_to_4h.weight"].format == "lut4"
    with LocalEngine.open(output) as engine:
        assert engine.info.vocab_size == VOCAB_SIZE + 1


class TestStore:
    def test_a_tensor_in_another_variant_is_not_found_and_can_be_deleted(self, tmp_path: Path) -> None:
        for variant, value in (("lut4", 4), ("lut6", 6)):
            store = TensorStore(tmp_path, {"w": variant})
            assert "w" not in store
            with store.draft("w", format_name=variant, shape=(4,)) as (draft, _):
                draft.array("values", (4,), "float16")[:] = value
        assert TensorStore(tmp_path, {"w": "lut4"}).read("w").parts["values"].tolist() == [4] * 4
        store.keep_only_variants()
        assert [path.name for path in tmp_path.iterdir()] == ["w.lut6"]

    def test_a_tensor_is_there_when_it_is_whole(self, tmp_path: Path) -> None:
        store = TensorStore(tmp_path)

        def interrupted() -> None:
            with store.draft("w", format_name="fp16", shape=(4,)) as (draft, _):
                draft.array("values", (4,), "float16")[:] = 1
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert "w" not in store
        with store.draft("w", format_name="fp16", shape=(4,)) as (draft, figures):
            draft.array("values", (4,), "float16")[:] = 2
            figures["squared_norm"] = 16.0
        assert "w" in store
        read = TensorStore(tmp_path).read("w")
        assert (read.format, read.shape, read.squared_norm) == ("fp16", (4,), 16.0)
        assert read.parts["values"].tolist() == [2] * 4
        assert [p.name for p in tmp_path.iterdir()] == ["w"]

    def test_a_full_disk_is_an_error_and_not_a_crash(self, small_disk: Path) -> None:
        store = TensorStore(small_disk / "tensors")
        with (
            pytest.raises(OSError, match="No space left"),
            store.draft("w", format_name="lut8", shape=(4096, 4096)) as d,
        ):
            d[0].array("indices", (4096, 4096), "uint8")[:] = 1
