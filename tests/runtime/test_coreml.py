"""Backend coreml over a stand-in: what coremltools is given, which compiled programs are kept, what errors become."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from runtime import quiet
from runtime.backends import coreml
from runtime.backends.choice import open_backend, unavailable_reason
from runtime.backends.compiled import FOLDER
from runtime.backends.pinned import Pinned
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, CoreMLError
from tests.coreml import StandIn

PLAN = (
    '{\n    NSLocalizedDescription = "Failed to build the model execution plan using a model architecture file '
    "'model.mil' with error code: -14.\";\n}"
)


@pytest.fixture
def core_ml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIn:
    monkeypatch.setenv("FALCONET_CACHE", str(tmp_path / "cache"))
    stand_in = StandIn()
    stand_in.install(monkeypatch)
    return stand_in


@pytest.fixture
def bundle(bundle_folder: Path) -> Bundle:
    return Bundle.open(bundle_folder)


def kept(bundle: Bundle) -> list[str]:
    """Compiled programs in the bundle, each with its record."""
    names = sorted(path.name for path in (bundle.folder / FOLDER).iterdir())
    programs = [name for name in names if name.endswith(".mlmodelc")]
    assert names == sorted([*programs, *(name.replace(".mlmodelc", ".json") for name in programs)])
    return programs


def test_no_input_is_ever_freed_by_core_ml(core_ml: StandIn, bundle: Bundle) -> None:
    backend = open_backend(bundle)
    assert backend.name == "coreml"
    state = backend.new_state()
    for tokens in ([1, 2, 3], [4], [5], list(range(40))):
        backend.feed(tokens, state)
    assert len(core_ml.inputs) == 8
    backend.close()
    del backend, state
    assert all(array is not None for array in core_ml.idle())


def test_pinned_arrays_hold_the_values_and_are_as_many_as_shapes() -> None:
    pinned = Pinned()
    rng = np.random.default_rng(0)
    shapes = [(1, 1, rows, end) for rows in (1, 2, 64) for end in (1, 7, 300)]
    for _ in range(3):
        for shape in shapes:
            given = {"mask": rng.random(shape, np.float32), "ids": rng.integers(0, 9, shape[2], np.int32)[None]}
            put = pinned.put(given)
            for name, value in given.items():
                assert put[name].dtype == value.dtype
                assert put[name].strides == np.empty(value.shape, value.dtype).strides
                np.testing.assert_array_equal(put[name], value)
    assert len(pinned) == len(shapes) + 3
    pinned = Pinned()
    first, second = (pinned.put({"mask": np.zeros(shape, np.float32)})["mask"] for shape in ((64, 300), (1, 7)))
    assert np.shares_memory(first, second), "the arrays of one name lie over one buffer"


def test_an_array_that_was_pinned_outlives_the_process_s_own_references() -> None:
    array = Pinned().put({"x": np.ones(3, np.float32)})["x"]
    assert sys.getrefcount(array) > 60


def test_a_program_is_compiled_once_and_goes_with_its_bundle(
    core_ml: StandIn, bundle: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    for units in coreml.COMPUTE_UNITS:
        open_backend(bundle, "coreml", compute_units=units)
    assert core_ml.compiled == [str(bundle.program_path)]
    (path,) = {path for path, _ in core_ml.loaded}
    assert [units for _, units in core_ml.loaded] == [units.upper() for units in coreml.COMPUTE_UNITS]
    assert Path(path).parent == bundle.folder / FOLDER
    assert kept(bundle) == [f"{bundle.hash[:16]}-24G90.mlmodelc"]
    assert capfd.readouterr() == ("", ""), "Core ML's compiler speaks on standard output"
    Bundle.open(bundle.folder).verify()  # the bundle is what it was


def test_a_virtual_machine_s_stand_in_for_a_graphics_card_computes_only_where_it_is_asked_to(
    core_ml: StandIn, bundle: Bundle
) -> None:
    open_backend(bundle)
    core_ml.told["kern.hv_vmm_present"] = "1"
    open_backend(bundle)
    open_backend(bundle, compute_units="cpu_and_gpu")
    assert [units for _, units in core_ml.loaded] == ["CPU_AND_GPU", "CPU_ONLY", "CPU_AND_GPU"]


def test_after_an_update_of_the_system_it_is_compiled_again_and_the_old_one_goes(
    core_ml: StandIn, bundle: Bundle
) -> None:
    open_backend(bundle)
    core_ml.build = "25A354"
    open_backend(bundle)
    assert len(core_ml.compiled) == 2
    assert kept(bundle) == [f"{bundle.hash[:16]}-25A354.mlmodelc"]


def test_a_damaged_one_is_compiled_once_more(core_ml: StandIn, bundle: Bundle) -> None:
    open_backend(bundle)
    (name,) = kept(bundle)
    shutil.rmtree(bundle.folder / FOLDER / name / "Data")
    open_backend(bundle)
    assert len(core_ml.compiled) == 2
    (bundle.folder / FOLDER / name / ".DS_Store").touch()
    open_backend(bundle)
    assert len(core_ml.compiled) == 2


def test_what_core_ml_says_is_told_in_one_sentence(core_ml: StandIn, bundle: Bundle) -> None:
    core_ml.refused["CPU_AND_NE"] = PLAN
    with pytest.raises(CoreMLError, match=r"^Core ML cannot load 7b on the units cpu_and_ne: .*error code: -14"):
        open_backend(bundle, "coreml", compute_units="cpu_and_ne")
    assert len(core_ml.compiled) == 1
    backend = open_backend(bundle, "coreml", compute_units="cpu_only")
    assert len(core_ml.compiled) == 1, "what one unit refuses is kept for the others"
    core_ml.failing = "{\n    NSLocalizedDescription = 'Unable to compute';\n}"
    with pytest.raises(CoreMLError, match=r"^Core ML could not compute: \{ NSLocal.* or --backend torch\.$"):
        backend.feed([1], backend.new_state())


def test_a_read_only_bundle_s_program_is_kept_in_the_cache(core_ml: StandIn, bundle: Bundle, tmp_path: Path) -> None:
    (bundle.folder / FOLDER).write_text("no folder")
    open_backend(bundle)
    (found,) = (tmp_path / "cache" / "compiled").glob("*.mlmodelc")
    assert found.name == f"{bundle.hash[:16]}-24G90.mlmodelc"
    other = found.with_name("0123456789abcdef-24G90.mlmodelc")
    other.mkdir()
    core_ml.build = "25A354"
    open_backend(bundle)
    left = {path.name for path in found.parent.glob("*.mlmodelc")}
    assert left == {other.name, f"{bundle.hash[:16]}-25A354.mlmodelc"}, "another bundle's stays"


def test_a_disk_that_does_not_take_it_is_one_sentence(core_ml: StandIn, bundle: Bundle, tmp_path: Path) -> None:
    (bundle.folder / FOLDER).write_text("no folder")
    (tmp_path / "cache" / "compiled").write_text("no folder either")
    with pytest.raises(BackendUnavailableError, match=r"The compiled program of 7b, about \d.*, cannot be kept in .*"):
        open_backend(bundle)


def test_without_its_native_part_coremltools_says_so(core_ml: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools.libcoremlpython", None)
    assert "coremltools is here without its native part" in (unavailable_reason("coreml") or "")


def test_output_is_quiet_only_within(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(1, b"before ")
    with quiet.quiet_output():
        os.write(1, b"within ")
    os.write(1, b"after")
    assert capfd.readouterr().out == "before after"
