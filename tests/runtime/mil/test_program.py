"""Opening and running programs: what they say of themselves, what they refuse, what the options do."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime.errors import OptionError
from runtime.mil import (
    BlobFile,
    Constant,
    InputError,
    PackageError,
    Program,
    State,
    UnsupportedOpError,
)
from runtime.mil.ops import KERNELS
from runtime.mil.weights.budget import WeightHandle
from tests.runtime.mil.conversion import ct, mb, numbers, save, types
from tests.runtime.mil.sample import INDICES, TABLE, WEIGHT, dense

INPUTS = {"ids": np.array([63, 5], np.int32), "shift": numbers(1, 20, seed=4).astype(np.float16).astype(np.float32)}


def wanted() -> np.ndarray:
    weight = WEIGHT.astype(np.float32)
    result: np.ndarray = (dense()[INPUTS["ids"]] @ weight + INPUTS["shift"]) @ weight.T @ dense().T
    return result


@pytest.mark.parametrize("budget", [1 << 30, 5000, 0], ids=["all kept", "some kept", "none kept"])
def test_the_memory_budget_changes_no_result(package: Path, budget: int) -> None:
    program = Program.open(package, memory_budget_bytes=budget)
    for _ in range(2):
        np.testing.assert_allclose(program.predict(INPUTS)["logits"], wanted(), rtol=1e-5, atol=1e-3)


def test_a_large_weight_that_is_not_kept_is_multiplied_in_parts(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.mil.ops.matrix._CHUNK_ELEMENTS", 24 * 5)
    program = Program.open(package, memory_budget_bytes=0)
    np.testing.assert_allclose(program.predict(INPUTS)["logits"], wanted(), rtol=1e-5, atol=1e-3)


def test_rows_of_an_embedding_are_read_without_expanding_the_table(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program.open(package)
    given = program._plan.template[program._plan.places["table"]]
    assert isinstance(given, WeightHandle)

    def refuse() -> None:
        raise AssertionError("expanded whole")

    monkeypatch.setattr(given.packed, "expand", refuse)
    with torch.inference_mode():
        rows = KERNELS["gather"].function(given, torch.tensor([63, 5]), axis=0, opset=18)
    np.testing.assert_array_equal(rows, dense()[[63, 5]])


@pytest.mark.parametrize("rows", [1, 7])
def test_attention_over_a_long_query_is_taken_in_parts(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = (torch.from_numpy(numbers(1, 2, 7, 4, seed=seed)) for seed in range(3))
    mask = torch.from_numpy(numbers(1, 1, rows, 7, seed=3))
    attend = KERNELS["scaled_dot_product_attention"].function
    wanted = torch.nn.functional.scaled_dot_product_attention(query, key, value, mask)
    monkeypatch.setattr("runtime.mil.ops.matrix._SCORE_ELEMENTS", 2 * 7 * 2)
    np.testing.assert_allclose(attend(query, key, value, mask), wanted, rtol=1e-5, atol=1e-6)


def test_outputs_are_float32_and_int32(package: Path) -> None:
    results = Program.open(package).predict(INPUTS)
    assert {name: array.dtype.name for name, array in results.items()} == {"logits": "float32", "best": "int32"}


def test_a_program_describes_its_border(package: Path) -> None:
    program = Program.open(package)
    ids, shift = program.inputs
    assert (ids.name, ids.dtype, ids.shape) == ("ids", "int32", (2,))
    assert (shift.name, shift.dtype, shift.shape) == ("shift", "fp16", (1, 20))
    assert [feature.name for feature in program.outputs] == ["logits", "best"]
    assert (program.states, program.functions) == ((), ("main",))
    assert program.metadata["com.github.apple.coremltools.version"] == ct.__version__


def test_ops_are_listed_with_their_types_and_sources(package: Path) -> None:
    ops = {op.name: op for op in Program.open(package).ops()}
    assert Counter(op.type for op in ops.values() if op.type != "const") == Counter(
        constexpr_lut_to_dense=1, gather=1, matmul=2, add=1, linear=1, reduce_argmax=1
    )
    head = ops["logits"]
    assert head.inputs["weight"] == ("table",)
    assert [(value.name, value.dtype, value.shape) for value in head.outputs] == [("logits", "fp16", (2, 64))]


def test_weights_are_listed_with_their_places_in_the_file(package: Path) -> None:
    weights = {weight.name: weight for weight in Program.open(package).weights()}
    assert (weights["between"].op_type, weights["between"].shape) == ("const", (24, 20))
    table = weights["table"]
    assert (table.op_type, table.dtype, table.shape) == ("constexpr_lut_to_dense", "fp16", (64, 24))
    file = BlobFile.open(package / "Data/com.apple.CoreML/weights/weight.bin")
    for part, dtype, values in [("indices", "uint4", INDICES), ("lut", "fp16", TABLE)]:
        constant = table.parts[part]
        assert isinstance(constant, Constant)
        assert (constant.dtype, constant.offset is not None) == (dtype, True)
        np.testing.assert_array_equal(file.array(constant.offset or 0, constant.shape), values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ids": None}, r"Input ids is missing; the program takes int32 of shape \(2,\)"),
        ({"spare": np.zeros(1)}, "no input spare; its inputs are: ids, shift"),
        ({"ids": np.zeros(3, np.int32)}, r"Input ids has shape \(3,\) where the program takes \(2,\)"),
        ({"ids": np.zeros(2, np.float32)}, "Input ids holds float32 where the program takes integers"),
        ({"shift": np.zeros((1, 20), np.int32)}, "Input shift holds int32 where .* floating-point"),
        ({"shift": np.zeros(20, np.float32)}, r"Input shift has shape \(20,\) where the program takes \(1, 20\)"),
        (
            {"ids": [[1, 2], [3]]},
            r"Input ids is a list that makes no array where the program takes integers of .*\(2,\)",
        ),
        ({"ids": np.array([1, 2**40])}, f"Input ids holds integers from 1 to {2**40} where .* 32 bits"),
        (
            {"ids": np.array([64, 5])},
            "Input ids holds 64 where the program takes 0 to 63, the entries of its table table",
        ),
        ({"ids": np.array([5, -1])}, "Input ids holds -1 where the program takes 0 to 63"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(package: Path, change: dict[str, Any], said: str) -> None:
    inputs = {name: array for name, array in {**INPUTS, **change}.items() if array is not None}
    with pytest.raises(InputError, match=said) as caught:
        Program.open(package).predict(inputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inputs", [None, 5, [1, 2], "ids"])
def test_inputs_that_are_no_dict_are_refused(package: Path, inputs: Any) -> None:
    with pytest.raises(InputError, match="takes a dict of the program's inputs by name, not"):
        Program.open(package).predict(inputs)


@pytest.mark.parametrize("wrong", [None, 5, b"x", [], object(), "a\0b"])
def test_what_is_no_path_is_refused(wrong: Any) -> None:
    for opens in (Program.open, BlobFile.open):
        with pytest.raises(OptionError, match=r"^path "):
            opens(wrong)


@pytest.mark.parametrize("wrong", [{"function_name": 5}, {"memory_budget_bytes": "x"}, {"memory_budget_bytes": -1}])
def test_an_argument_of_the_wrong_kind_is_refused_by_name(package: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"^{next(iter(wrong))} must be"):
        Program.open(package, **wrong)


def test_a_state_is_written_from_an_array_alone() -> None:
    state = State.zeros({"cache": (2,)})
    with pytest.raises(OptionError, match="value must be an array, not list"):
        state.write_state("cache", [1.0, 2.0])  # type: ignore[arg-type]


def test_a_state_is_refused_where_the_program_has_none(package: Path) -> None:
    with pytest.raises(InputError, match="has no states, and predict was given one; leave it out"):
        Program.open(package).predict(INPUTS, State.zeros({}))


def test_flexible_inputs_say_which_lengths_they_take(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec((1, ct.converters.mil.mil.get_new_symbol()))])
    def program(x: Any) -> Any:
        return mb.relu(x=x)

    flexible = ct.TensorType("x", (1, ct.RangeDim(2, 5, default=3)))
    save(program, tmp_path / "flexible.mlpackage", inputs=[flexible])
    opened = Program.open(tmp_path / "flexible.mlpackage")
    (name,) = (feature.name for feature in opened.outputs)
    assert opened.predict({"x": np.full((1, 5), -1, np.float32)})[name].shape == (1, 5)
    for length in (1, 6):
        with pytest.raises(InputError, match=r"takes \(1, 2 to 5\)"):
            opened.predict({"x": np.zeros((1, length), np.float32)})


def test_what_overflows_sixteen_bits_is_seen(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec((2,), dtype=types.fp16)], opset_version=ct.target.iOS18)
    def program(x: Any) -> Any:
        large = mb.mul(x=x, y=np.float16(1000), name="large")
        return mb.mul(x=large, y=np.float16(0.001), name="small")

    save(program, tmp_path / "overflow.mlpackage")
    fed = {"x": np.array([100.0, 3.0], np.float32)}
    exact = Program.open(tmp_path / "overflow.mlpackage", trace_magnitudes=True)
    np.testing.assert_allclose(exact.predict(fed)["small"], [100, 3], rtol=1e-3)
    assert exact.magnitudes["large"] == 100_000
    assert Program.open(tmp_path / "overflow.mlpackage").magnitudes == {}
    rounded = Program.open(tmp_path / "overflow.mlpackage", round_to_fp16=True, trace_magnitudes=True)
    with np.errstate(over="ignore"):
        wanted = (fed["x"].astype(np.float16) * np.float16(1000)) * np.float16(0.001)
    np.testing.assert_array_equal(rounded.predict(fed)["small"], wanted)
    assert rounded.magnitudes["large"] == np.inf


def test_sixteen_bit_inputs_are_rounded_at_the_border(package: Path) -> None:
    program = Program.open(package)
    near = {**INPUTS, "shift": INPUTS["shift"] * np.float32(1 + 1e-5)}
    np.testing.assert_array_equal(program.predict(near)["logits"], program.predict(INPUTS)["logits"])


def test_quantising_and_back_agrees_with_torch(tmp_path: Path) -> None:
    scales, points = numbers(3, low=0.1), np.array([1, -2, 3], np.int8)

    @mb.program(input_specs=[mb.TensorSpec((5, 3))], opset_version=ct.target.iOS17)
    def program(x: Any) -> Any:
        levels = mb.quantize(input=x, scale=scales, zero_point=points, axis=1, output_dtype="int8")
        return mb.dequantize(input=levels, scale=scales, zero_point=points, axis=1, name="back")

    save(program, tmp_path / "quantised.mlpackage", ct.target.iOS17)
    x = numbers(5, 3, low=-40.0, high=40.0)
    wanted = torch.fake_quantize_per_channel_affine(
        torch.from_numpy(x), torch.from_numpy(scales), torch.from_numpy(points).int(), 1, -128, 127
    )
    back = Program.open(tmp_path / "quantised.mlpackage").predict({"x": x})["back"]
    np.testing.assert_allclose(back, wanted, rtol=1e-6)


def test_branches_and_loops_run(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec((1,)), mb.TensorSpec((1,))])
    def program(x: Any, limit: Any) -> Any:
        total, count = mb.while_loop(
            _cond=lambda total, _: mb.less(x=mb.squeeze(x=total), y=mb.squeeze(x=limit)),
            _body=lambda total, count: (mb.mul(x=total, y=2.0), mb.add(x=count, y=x)),
            loop_vars=(x, mb.const(val=np.zeros(1, np.float32))),
        )
        is_even = mb.equal(x=mb.mod(x=mb.squeeze(x=count), y=2.0), y=0.0)
        chosen = mb.cond(pred=is_even, _true_fn=lambda: mb.add(x=total, y=0.5), _false_fn=lambda: mb.sub(x=total, y=x))
        return mb.identity(x=total, name="total"), mb.identity(x=chosen, name="chosen")

    save(program, tmp_path / "loop.mlpackage")
    opened = Program.open(tmp_path / "loop.mlpackage")
    for limit, total, chosen in [(1, 1, 1.5), (2, 2, 1), (9, 16, 16.5)]:
        results = opened.predict({"x": np.ones(1, np.float32), "limit": np.array([limit], np.float32)})
        assert (results["total"].item(), results["chosen"].item()) == (total, chosen)


def test_out_of_range_indices_show_as_nan_unless_the_program_validates_them(tmp_path: Path) -> None:
    @mb.program(
        input_specs=[mb.TensorSpec((3, 2)), mb.TensorSpec((2,), dtype=types.int32)], opset_version=ct.target.iOS17
    )
    def program(x: Any, indices: Any) -> Any:
        loose = mb.gather(x=x, indices=indices, axis=0, name="loose")
        return loose, mb.gather_nd(x=x, indices=mb.expand_dims(x=indices, axes=[1]), name="deep")

    save(program, tmp_path / "gather.mlpackage", ct.target.iOS17)
    opened = Program.open(tmp_path / "gather.mlpackage")
    x = numbers(3, 2)
    for name, rows in opened.predict({"x": x, "indices": np.array([1, -1], np.int32)}).items():
        np.testing.assert_array_equal(rows[0], x[1], err_msg=name)
        assert np.isnan(rows[1]).all()


def test_an_out_of_range_index_that_the_program_validates_is_an_error_that_names_the_op(tmp_path: Path) -> None:
    @mb.program(
        input_specs=[mb.TensorSpec((3, 2)), mb.TensorSpec((2,), dtype=types.int32)], opset_version=ct.target.iOS17
    )
    def program(x: Any, indices: Any) -> Any:
        return mb.gather(x=x, indices=indices, axis=0, validate_indices=True, name="strict")

    save(program, tmp_path / "gather.mlpackage", ct.target.iOS17)
    with pytest.raises(IndexError, match="axis of length 3") as caught:
        Program.open(tmp_path / "gather.mlpackage").predict({"x": numbers(3, 2), "indices": np.array([0, 3])})
    assert caught.value.__notes__ == ["in the gather op 'strict' of the program"]


def test_an_unknown_op_is_named_when_the_program_is_opened(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec((1, 2, 4, 4))])
    def program(x: Any) -> Any:
        return mb.max_pool(x=x, kernel_sizes=[2, 2], pad_type="valid", name="pooling")

    save(program, tmp_path / "pool.mlpackage")
    with pytest.raises(UnsupportedOpError, match=r"max_pool \(used by pooling\)"):
        Program.open(tmp_path / "pool.mlpackage")


def test_a_function_is_chosen_by_name(package: Path, tmp_path: Path) -> None:
    parts = ct.utils.MultiFunctionDescriptor()
    for name in ("first", "second"):
        parts.add_function(str(package), src_function_name="main", target_function_name=name)
    parts.default_function_name = "second"
    ct.utils.save_multifunction(parts, str(tmp_path / "both.mlpackage"))
    program = Program.open(tmp_path / "both.mlpackage", function_name="first")
    assert program.functions == ("first", "second")
    np.testing.assert_allclose(program.predict(INPUTS)["logits"], wanted(), rtol=1e-5, atol=1e-3)
    with pytest.raises(PackageError, match="no function third; choose one of: first, second"):
        Program.open(tmp_path / "both.mlpackage", function_name="third")


def test_opening_and_running_prints_nothing_and_leaves_coremltools_alone(package: Path) -> None:
    code = (
        "import sys, numpy as np; from runtime.mil import Program;"
        f"p = Program.open({str(package)!r});"
        "p.predict({'ids': np.zeros(2, np.int32), 'shift': np.zeros((1, 20), np.float32)});"
        "assert 'coremltools' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
