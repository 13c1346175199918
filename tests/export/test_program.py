"""What stands in the saved package, read with coremltools' own messages; and the check that refuses anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.census import ProgramCheckError, check_program
from models.checkpoint import expected_shapes
from models.config import FalconConfig
from runtime.mil import InputError, Program
from runtime.quiet import quiet
from tests.conftest import Bundles
from tests.runtime.mil.conversion import ct, mb, save, types
from tests.tools import VOCAB_SIZE, read_manifest

with quiet():
    from coremltools.proto import FeatureTypes_pb2, MIL_pb2

FORMATS = ("lut4", "lut6", "lut8", "int4", "int8", "fp16")
PAIRS = [("7b", form) for form in FORMATS] + [(v, "lut4") for v in ("40b", "11b", "rw", "7b-biased")]
LAYERS, CONTEXT = 2, 64
MATRICES = 4 * LAYERS + 1


class Package:
    """A package as coremltools reads it."""

    def __init__(self, bundle: Path) -> None:
        self.config = FalconConfig.open(bundle)
        self.manifest = read_manifest(bundle)
        self.spec = ct.utils.load_spec(str(bundle / "model.mlpackage"))
        (block,) = self.spec.mlProgram.functions["main"].block_specializations.values()
        self.ops = list(block.operations)
        self.producers = {value.name: op for op in self.ops for value in op.outputs}

    def of_type(self, kind: str) -> list[Any]:
        return [op for op in self.ops if op.type == kind]

    def shape(self, name: str) -> list[int | None]:
        (value,) = (v for v in self.producers[name].outputs if v.name == name)
        return [d.constant.size if d.WhichOneof("dimension") == "constant" else None for d in dimensions(value)]

    def argument(self, op: Any, key: str) -> str:
        return str(op.inputs[key].arguments[0].name)


def dimensions(value: Any) -> Any:
    return value.type.tensorType.dimensions


def dtype(value: Any) -> str:
    return str(MIL_pb2.DataType.Name(value.type.tensorType.dataType))


def describe(feature: Any) -> tuple[str, list[int], list[tuple[int, int]]]:
    """Element type, default shape, ranges."""
    kind = feature.type.WhichOneof("Type")
    array = feature.type.stateType.arrayType if kind == "stateType" else feature.type.multiArrayType
    ranges = [(r.lowerBound, r.upperBound) for r in array.shapeRange.sizeRanges]
    return FeatureTypes_pb2.ArrayFeatureType.ArrayDataType.Name(array.dataType), list(array.shape), ranges


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def package(request: pytest.FixtureRequest, bundles: Bundles) -> Package:
    return Package(bundles(*request.param))


def test_inputs_are_flexible_and_named_as_in_the_mistral_example(package: Package) -> None:
    inputs = {f.name: describe(f) for f in package.spec.description.input}
    free = (1, CONTEXT)
    assert inputs == {
        "inputIds": ("INT32", [1, 1], [(1, 1), free]),
        "causalMask": ("FLOAT16", [1, 1, 1, 1], [(1, 1), (1, 1), free, free]),
    }


def test_states_hold_one_entry_a_key_head_in_half_precision(package: Package) -> None:
    config = package.config
    shape = [LAYERS, 1, config.num_kv_heads, CONTEXT, config.head_dim]
    states = {f.name: describe(f) for f in package.spec.description.state}
    assert states == {"keyCache": ("FLOAT16", shape, []), "valueCache": ("FLOAT16", shape, [])}


def test_the_output_scores_the_last_position_in_half_precision(package: Package) -> None:
    (output,) = package.spec.description.output
    assert (output.name, describe(output)[0]) == ("logits", "FLOAT16")
    assert package.shape("logits") == [1, 1, VOCAB_SIZE]


def test_it_is_a_program_for_macos_15_with_its_metadata(package: Package) -> None:
    assert package.spec.specificationVersion == ct.target.macOS15 == 9
    assert list(package.spec.mlProgram.functions["main"].block_specializations) == ["CoreML8"]
    said = dict(package.spec.description.metadata.userDefined)
    assert said["co.huggingface.exporters.name"] == package.manifest["source"]["name"]
    assert said["co.huggingface.exporters.task"] == "text-generation"
    assert said["co.huggingface.exporters.architecture"] == "FalconForCausalLM"
    assert said["co.huggingface.exporters.framework"] == "pytorch"
    assert said["co.huggingface.exporters.precision"] == "float16"


@pytest.mark.parametrize("variant", ["7b", "40b", "rw"])
@pytest.mark.parametrize(
    ("ids", "mask", "said"),
    [
        (
            [VOCAB_SIZE, 1, 2],
            (3, 3),
            f"Input inputIds holds {VOCAB_SIZE} where the program takes 0 to {VOCAB_SIZE - 1}",
        ),
        ([1, -1, 2], (3, 3), "Input inputIds holds -1 where the program takes 0 to"),
        (
            [1, 2, 3],
            (2, 3),
            r"inputIds \(1, 3\) and causalMask \(1, 1, 2, 3\) .*; inputIds is \[1, q\].* \[1, 1, q, end\], 0",
        ),
        ([1, 2, 3], (3, 2), r"inputIds \(1, 3\) and causalMask \(1, 1, 3, 2\) do not go together"),
    ],
    ids=["beyond the vocabulary", "below zero", "mask of fewer rows", "mask too narrow"],
)
def test_the_interpreter_tells_who_feeds_what_the_program_does_not_take(
    bundles: Bundles, variant: str, ids: list[int], mask: tuple[int, int], said: str
) -> None:
    program = Program.open(bundles(variant, "lut4") / "model.mlpackage")
    inputs = {"inputIds": np.array([ids], np.int32), "causalMask": np.zeros((1, 1, *mask), np.float32)}
    with pytest.raises(InputError, match=said):
        program.predict(inputs, program.new_state())


def test_no_key_is_copied_to_the_heads_that_share_it(package: Package) -> None:
    assert not package.of_type("tile")
    fused = package.of_type("scaled_dot_product_attention")
    assert len(fused) == LAYERS
    config = package.config
    for op in fused:
        for key in ("query", "key", "value"):
            shape = package.shape(package.argument(op, key))
            assert shape[:2] == [1, config.num_kv_heads]
            assert shape[3] == config.head_dim


def test_only_positions_are_of_unknown_length_where_queries_and_keys_turn(package: Package) -> None:
    head_dim = package.config.head_dim
    found = [package.shape(package.argument(op, key)) for op in package.of_type("mul") for key in ("x", "y")]
    turned = [shape for shape in found if shape]  # halves are negated by a scalar
    assert len(turned) == (0 if package.config.alibi else 5 * LAYERS)
    for shape in turned:
        assert shape[-1] in (head_dim, head_dim // 2)
        assert shape.count(None) == 1


def test_every_matrix_is_compressed_and_keeps_its_orientation(package: Package) -> None:
    shapes = expected_shapes(package.config)
    linears = package.of_type("linear")
    assert len(linears) == MATRICES
    assert not package.of_type("matmul")
    assert not package.of_type("conv")
    names = [name for name, shape in shapes.items() if len(shape) == 2]
    wanted = sorted(shapes[n] for n in names if n != "transformer.word_embeddings.weight")
    wanted += [shapes["transformer.word_embeddings.weight"]] if package.config.tie_word_embeddings else []
    assert sorted(tuple(package.shape(package.argument(op, "weight"))) for op in linears) == sorted(wanted)
    kind = {"l": "constexpr_lut_to_dense", "i": "constexpr_blockwise_shift_scale", "f": "const"}
    recipe = package.manifest["recipe"]
    stored = [package.producers[package.argument(op, "weight")].type for op in linears]
    assert set(stored) == {kind[recipe["linear"][0]]}
    assert len([op for op in package.ops if op.type.startswith("constexpr_")]) == (
        0 if recipe["linear"] == "fp16" else len(names)
    ), "norms, biases and position tables stay plain, and a tied head shares the embedding's"


def test_the_layers_and_the_head_have_the_bits_that_the_recipe_gives(package: Package) -> None:
    bits = {"lut4": "UINT4", "lut6": "UINT6", "lut8": "UINT8", "int4": "INT4", "int8": "INT8"}
    recipe = package.manifest["recipe"]
    if recipe["linear"] == "fp16":
        return
    found = []
    for op in package.of_type("linear"):
        weight = package.producers[package.argument(op, "weight")]
        key = "indices" if "indices" in weight.inputs else "data"
        found.append(MIL_pb2.DataType.Name(weight.inputs[key].arguments[0].value.type.tensorType.dataType))
    head = bits[recipe["embedding"]]
    assert sorted(found) == sorted([bits[recipe["linear"]]] * (MATRICES - 1) + [head])
    assert head in ("UINT8", "INT8")


def test_nothing_is_float32_and_no_integer_is_narrow(package: Package) -> None:
    found = {
        dtype(value) for op in package.ops for value in op.outputs if value.type.WhichOneof("type") == "tensorType"
    }
    assert found <= {"FLOAT16", "INT32", "BOOL", "STRING"}


def test_the_census_counts_the_ops_of_each_layer(package: Package) -> None:
    census = package.manifest["parity"]["census"]
    assert len(census["layers"]) == LAYERS
    each = {"linear": 4, "scaled_dot_product_attention": 1, "gelu": 1, "slice_update": 2, "write_state": 2}
    for layer in census["layers"]:  # what tells positions stands in the first and serves all
        assert layer.items() >= each.items()
    assert census["head"]["linear"] == 1
    assert {kind: len(package.of_type(kind)) for kind in census["ops"]} == census["ops"]


# The check, on small programs that break one rule each: one layer of one head.

HIDDEN, WIDE, VOCABULARY, QUERIES = 8, 32, 16, 4
CONFIG = FalconConfig(
    vocab_size=VOCABULARY, hidden_size=HIDDEN, num_layers=1, num_heads=1, num_kv_heads=1, ffn_hidden_size=WIDE
)
RECIPE = dict.fromkeys(("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h", "lm_head"), "lut8")


def palettized(*shape: int) -> Any:
    indices = np.random.default_rng(shape).integers(0, 256, shape).astype(np.uint8)
    table = np.linspace(-1, 1, 256, dtype=np.float16).reshape(1, 1, 256, 1)
    return mb.constexpr_lut_to_dense(indices=indices, lut=table)


def scaled(*shape: int) -> Any:
    values = np.random.default_rng(shape).integers(-8, 8, shape).astype(np.int8)
    return mb.constexpr_blockwise_shift_scale(data=values, scale=np.ones((shape[0], 1), np.float16), name="scaled")


def plain(*shape: int) -> Any:
    return mb.const(val=np.random.default_rng(shape).normal(size=shape).astype(np.float16), name="plain")


def attention(q: Any, k: Any, v: Any, fault: str) -> Any:
    if fault == "two heads":
        q, k, v = (mb.reshape(x=t, shape=[1, 2, QUERIES, HIDDEN // 2]) for t in (q, k, v))
        out = mb.scaled_dot_product_attention(query=q, key=k, value=v, name="split_attention")
        return mb.reshape(x=out, shape=[1, QUERIES, HIDDEN])
    if fault == "attention in parts":
        out = mb.matmul(x=mb.softmax(x=mb.matmul(x=q, y=k, transpose_y=True)), y=v)
    else:
        out = mb.scaled_dot_product_attention(query=q, key=k, value=v)
    return mb.squeeze(x=out, axes=[1])


def falcon(x: Any, cache: Any, fault: str) -> Any:
    """A layer and a head on `x` [1, q, E] with one rule broken."""
    qkv = mb.linear(x=x, weight=palettized(3 * HIDDEN, HIDDEN))
    q, k, v = (mb.expand_dims(x=t, axes=[1]) for t in mb.split(x=qkv, num_splits=3, axis=2))
    if fault == "tiled keys":
        k = mb.tile(x=k, reps=[1, 1, 1, 1], name="copied_keys")
    if fault == "narrowed integers":
        ids = mb.cast(x=mb.reduce_argmax(x=x, axis=-1, name="ids"), dtype="int16", name="narrowed_ids")
        x = mb.add(x=x, y=mb.expand_dims(x=mb.cast(x=ids, dtype="fp16"), axes=[2]))
    if fault == "float32":
        x = mb.cast(x=mb.cast(x=x, dtype="fp32", name="widened"), dtype="fp16")
    mb.coreml_update_state(state=cache, value=mb.add(x=k, y=mb.read_state(input=cache)))
    x = mb.add(x=x, y=mb.linear(x=attention(q, k, v, fault), weight=palettized(HIDDEN, HIDDEN)))
    if fault == "matmul":
        x = mb.matmul(x=x, y=plain(HIDDEN, WIDE))
    else:
        store = {"plain weight": plain, "other compression": scaled}.get(fault, palettized)
        x = mb.linear(x=x, weight=store(WIDE, HIDDEN))
    x = mb.linear(x=x, weight=palettized(HIDDEN, WIDE))
    return mb.linear(x=x, weight=palettized(VOCABULARY, HIDDEN), name="logits")


def small_program(fault: str, folder: Path) -> Program:
    shape, cache = mb.TensorSpec((1, QUERIES, HIDDEN), dtype=types.fp16), (1, 1, QUERIES, HIDDEN)

    @mb.program(input_specs=[shape, mb.StateTensorSpec(cache, dtype=types.fp16)], opset_version=ct.target.iOS18)
    def program(x: Any, cache: Any) -> Any:
        return falcon(x, cache, fault)

    save(program, folder / "small.mlpackage")
    return Program.open(folder / "small.mlpackage")


def test_a_program_as_it_should_be_is_passed(tmp_path: Path) -> None:
    census = check_program(small_program("none", tmp_path), CONFIG, RECIPE)
    assert census["ops"]["linear"] == 5
    assert census["ops"]["constexpr_lut_to_dense"] == 5


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("tiled keys", r"copied_keys tiles a tensor of shape \[1, 1, 4, 8\]"),
        ("narrowed integers", "narrowed_ids casts to int16"),
        ("float32", "cast widened gives float32"),
        ("two heads", "split_attention works on 2 heads where 1 keys exist"),
        ("attention in parts", "0 fused attention ops for 1 layers"),
        ("plain weight", "plain"),
        ("other compression", "weight scaled is stored by constexpr_blockwise_shift_scale"),
        ("matmul", "4 linear ops for 1 layers and a head"),
    ],
)
def test_a_program_that_breaks_a_rule_is_refused_by_name(fault: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ProgramCheckError, match=named):
        check_program(small_program(fault, tmp_path), CONFIG, RECIPE)


def test_a_recipe_that_asks_for_another_format_refuses_the_program(tmp_path: Path) -> None:
    with pytest.raises(ProgramCheckError, match="constexpr_blockwise_shift_scale where the recipe asks for 5"):
        check_program(small_program("none", tmp_path), CONFIG, dict.fromkeys(RECIPE, "int4"))
