"""Compressed weights expand to what coremltools expands them to: whole, by rows, and row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime.mil import Program
from runtime.mil.package import Package
from runtime.mil.weights.constexpr import CONSTEXPR_OPS, packed_weights
from runtime.mil.weights.packed import PackedWeight
from runtime.quiet import quiet
from tests.runtime.mil.conversion import ct, mb, numbers, save, target, types

with quiet():
    import coremltools.optimize.coreml as cto

Build = Callable[[], Any]


def narrow(values: np.ndarray, dtype: str) -> np.ndarray:
    """Integers marked as of a type that numpy does not have."""
    return values.astype(types.nptype_from_builtin(getattr(types, dtype)))


def indices(bits: int, *shape: int) -> np.ndarray:
    return narrow(np.random.default_rng(bits).integers(0, 2**bits, shape).astype(np.uint8), f"uint{bits}")


def halves(*shape: int, seed: int = 0) -> np.ndarray:
    return numbers(*shape, seed=seed).astype(np.float16)


def mask(*shape: int) -> np.ndarray:
    return narrow((numbers(*shape, seed=9) > 0.3).astype(np.uint8), "uint1")


def _lut(bits: int, shape: tuple[int, ...], blocks: tuple[int, ...], vector: int = 1, axis: int | None = None) -> Build:
    def build() -> Any:
        table = halves(*blocks, 2**bits, vector, seed=bits)
        return mb.constexpr_lut_to_dense(indices=indices(bits, *shape), lut=table, vector_axis=axis)

    return build


def _scaled(dtype: str, shape: tuple[int, ...], blocks: tuple[int, ...], offset: str = "") -> Build:
    def build() -> Any:
        low, high = {"int4": (-8, 8), "uint4": (0, 16), "int8": (-128, 128), "uint8": (0, 256)}[dtype]
        generator = np.random.default_rng(5)
        data = narrow(generator.integers(low, high, shape), dtype)
        zero = None
        if offset == "same":
            zero = narrow(generator.integers(max(low, -4), 8, blocks), dtype)
        elif offset:
            zero = halves(*blocks, seed=6)
        return mb.constexpr_blockwise_shift_scale(data=data, scale=halves(*blocks, seed=7), offset=zero)

    return build


def _sparse() -> Any:
    chosen = mask(12, 20)
    return mb.constexpr_sparse_to_dense(nonzero_data=halves(int((chosen != 0).sum())), mask=chosen)


def _sparse_palette() -> Any:
    chosen = mask(12, 20)
    wide, values = mb.constexpr_lut_to_sparse(
        indices_mask=chosen, indices_nonzero_data=indices(4, int((chosen != 0).sum())), lut=halves(3, 1, 16, 1)
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=wide)


def _sparse_palette_of_vectors() -> Any:
    chosen = mask(12, 20)
    wide, values = mb.constexpr_lut_to_sparse(
        indices_mask=chosen,
        indices_nonzero_data=indices(2, int((chosen != 0).sum())),
        lut=halves(1, 1, 4, 2),
        vector_axis=0,
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=wide)


def _sparse_scaled() -> Any:
    chosen = mask(12, 20)
    data = narrow(np.random.default_rng(1).integers(-8, 8, int((chosen != 0).sum())), "int4")
    wide, values = mb.constexpr_sparse_blockwise_shift_scale(
        data_mask=chosen, nonzero_data=data, scale=halves(12, 1), offset=narrow(np.ones((12, 1)), "int4")
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=wide)


def _palette_of_scaled_entries() -> Any:
    """A table of int8 entries whose scale comes after the look-up, as joint compression makes it."""
    table = narrow(np.random.default_rng(2).integers(-128, 128, (4, 1, 16, 1)), "int8")
    entries = mb.constexpr_lut_to_dense(indices=indices(4, 12, 20), lut=table)
    return mb.constexpr_blockwise_shift_scale(data=entries, scale=halves(12, 1))


def _old_lut(bits: int, shape: tuple[int, ...]) -> Build:
    def build() -> Any:
        count = int(np.prod(shape))
        chosen = np.random.default_rng(bits).integers(0, 2**bits, count).astype(np.uint8)
        flags = np.unpackbits(chosen[:, None], axis=1, bitorder="little")[:, :bits]
        packed = np.packbits(flags.reshape(-1), bitorder="little")
        return mb.constexpr_lut_to_dense(indices=packed, lut=halves(2**bits), shape=np.array(shape, np.uint32))

    return build


def _old_sparse() -> Any:
    chosen = numbers(12, 20, seed=9) > 0.3
    packed = np.packbits(chosen.reshape(-1), bitorder="little")
    return mb.constexpr_sparse_to_dense(
        nonzero_data=halves(int(chosen.sum())), mask=packed, shape=np.array((12, 20), np.uint32)
    )


def _old_affine() -> Any:
    data = np.random.default_rng(3).integers(0, 256, (12, 20)).astype(np.uint8)
    zero = np.arange(12, dtype=np.uint8)
    return mb.constexpr_affine_dequantize(quantized_data=data, scale=halves(12), zero_point=zero, axis=0)


def _old_cast() -> Any:
    return mb.constexpr_cast(source_val=halves(12, 20), output_dtype="fp32")


NEW: dict[str, Build] = {
    **{f"lut{bits} by 4 rows": _lut(bits, (12, 20), (3, 1)) for bits in (1, 2, 3, 4, 6, 8)},
    **{f"lut{bits} whole, odd rows": _lut(bits, (9, 15), (1, 1)) for bits in (1, 2, 3, 4, 6, 8)},
    "lut4 by 5 columns": _lut(4, (12, 20), (1, 4)),
    "lut4 by blocks": _lut(4, (12, 20), (3, 4)),
    "lut4 of a convolution": _lut(4, (8, 4, 3, 3), (2, 1, 1, 1)),
    "lut4 of pairs of rows": _lut(4, (12, 20), (3, 1), vector=2, axis=0),
    "lut4 of pairs of columns": _lut(4, (12, 20), (3, 1), vector=2, axis=1),
    **{f"{kind} by 4 columns": _scaled(kind, (12, 20), (12, 5)) for kind in ("int4", "uint4", "int8", "uint8")},
    **{f"{kind} by row, offset": _scaled(kind, (12, 20), (12, 1), "same") for kind in ("int4", "uint4", "int8")},
    "uint8 by 3 rows, float offset": _scaled("uint8", (12, 20), (4, 1), "float"),
    "int4, odd rows": _scaled("int4", (9, 15), (9, 3)),
    "sparse": _sparse,
    "sparse palette": _sparse_palette,
    "sparse palette of vectors": _sparse_palette_of_vectors,
    "sparse scaled": _sparse_scaled,
    "palette of scaled entries": _palette_of_scaled_entries,
}
OLD: dict[str, Build] = {
    **{f"iOS16 lut{bits}": _old_lut(bits, (12, 20)) for bits in (1, 2, 4, 6, 8)},
    "iOS16 lut6, odd rows": _old_lut(6, (9, 15)),
    "iOS16 sparse": _old_sparse,
    "iOS16 affine": _old_affine,
    "iOS16 cast": _old_cast,
}


@pytest.fixture(scope="module")
def expanded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[PackedWeight, np.ndarray]]:
    """A weight as it was saved and what coremltools makes of it."""
    done: dict[str, tuple[PackedWeight, np.ndarray]] = {}

    def fill(builds: dict[str, Build], opset: int) -> None:
        wanted: list[np.ndarray] = []

        @mb.program(input_specs=[mb.TensorSpec((1,))], opset_version=target(opset))
        def program(x: Any) -> Any:
            outputs = []
            for build in builds.values():
                weight = build()
                wanted.append(weight.op.materialized_val_inference())
                column = mb.reduce_sum(x=mb.cast(x=weight, dtype="fp32"), axes=[0])
                outputs.append(mb.add(x=x, y=mb.reduce_sum(x=column, axes=list(range(len(weight.shape) - 1)))))
            return tuple(outputs)

        path = tmp_path_factory.mktemp("weights") / "weights.mlpackage"
        save(program, path, target(opset))
        package = Package.open(path)
        known: dict[str, PackedWeight] = {}
        final: list[PackedWeight] = []
        for op in package.functions["main"].block.ops:
            if op.type in CONSTEXPR_OPS:
                made = packed_weights(op, known, package.blob_files)
                known.update(zip([value.name for value in op.outputs], made, strict=True))
            elif op.type in ("cast", "reduce_sum") and op.inputs["x"][0] in known:
                final.append(known[str(op.inputs["x"][0])])
        done.update({name: pair for name, *pair in zip(builds, final, wanted, strict=True)})  # type: ignore[misc]

    def of(name: str) -> tuple[PackedWeight, np.ndarray]:
        if name not in done:
            fill(*((NEW, 18) if name in NEW else (OLD, 16)))
        return done[name]

    return of


@pytest.mark.parametrize("name", [*NEW, *OLD])
def test_a_weight_expands_to_what_coremltools_makes_of_it(
    name: str, expanded: Callable[[str], tuple[PackedWeight, np.ndarray]]
) -> None:
    weight, wanted = expanded(name)
    assert weight.shape == wanted.shape
    # coremltools multiplies by scales in 16 bits, this in 32; palettes are exact either way.
    tolerance = 2e-3 if "lut" not in name else 0
    wanted = wanted.astype(np.float32)
    np.testing.assert_allclose(weight.expand(), wanted, rtol=tolerance, atol=tolerance)
    whole = weight.expand()
    for begin, end in [(0, 3), (2, 8), (5, 6), (4, 4)]:
        np.testing.assert_array_equal(weight.rows(begin, end), whole[begin:end])
    numbers_of_rows = np.array([5, 0, 5, 7])
    np.testing.assert_array_equal(weight.take(numbers_of_rows), whole[numbers_of_rows])


class Layers(torch.nn.Module):
    """An embedding and two layers, all of more than the 2048 elements from which coremltools compresses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = torch.nn.Embedding(96, 64)
        self.up = torch.nn.Linear(64, 96)
        self.head = torch.nn.Linear(96, 64, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(torch.relu(self.up(self.embed(ids))))
        return result


CONFIGS: dict[str, Callable[[], tuple[str, Any]]] = {
    "palette": lambda: ("palettize_weights", cto.OpPalettizerConfig(mode="uniform", nbits=4)),
    "grouped palette": lambda: (
        "palettize_weights",
        cto.OpPalettizerConfig(mode="uniform", nbits=4, granularity="per_grouped_channel", group_size=8),
    ),
    "block int4": lambda: (
        "linear_quantize_weights",
        cto.OpLinearQuantizerConfig(dtype="int4", granularity="per_block", block_size=32),
    ),
    "int8": lambda: ("linear_quantize_weights", cto.OpLinearQuantizerConfig(mode="linear")),
    "pruned": lambda: ("prune_weights", cto.OpMagnitudePrunerConfig(target_sparsity=0.6)),
}


@pytest.fixture(scope="module")
def converted() -> Any:
    ids = torch.zeros(1, 3, dtype=torch.int32)
    with quiet():
        traced = torch.jit.trace(Layers().eval(), (ids,))
        return ct.convert(
            traced,
            inputs=[ct.TensorType("ids", (1, 3), np.int32)],
            outputs=[ct.TensorType("y", dtype=np.float16)],
            minimum_deployment_target=ct.target.iOS18,
            skip_model_load=True,
        )


@pytest.mark.parametrize("budget", [2**30, 0], ids=["kept", "expanded at each use"])
@pytest.mark.parametrize("name", CONFIGS)
def test_models_compressed_by_coremltools_run_as_their_decompressed_twins(
    name: str, budget: int, converted: Any, tmp_path: Path
) -> None:
    with quiet():
        method, config = CONFIGS[name]()
        compressed = getattr(cto, method)(converted, cto.OptimizationConfig(config))
        plain = cto.decompress_weights(compressed)
        compressed.save(str(tmp_path / "compressed.mlpackage"))
        plain.save(str(tmp_path / "plain.mlpackage"))
    program = Program.open(tmp_path / "compressed.mlpackage", memory_budget_bytes=budget)
    twin = Program.open(tmp_path / "plain.mlpackage")
    assert any(op.type.startswith("constexpr_") for op in program.ops())
    assert not any(op.type.startswith("constexpr_") for op in twin.ops())
    ids = np.array([[3, 95, 0]], np.int32)
    for _ in range(2):
        got, wanted = (item.predict({"ids": ids})["y"] for item in (program, twin))
        np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-3)
