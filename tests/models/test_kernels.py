"""Kernels, this machine's and those for ARM, against torch's product with the matrix that a weight expands to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from models.compressed import BlockWeight, LutWeight
from models.kernels import machine, matrix
from models.kernels.instructions import Avx2, Avx512, Neon, instructions_of
from models.kernels.matrix import MOST_TOKENS
from models.kernels.weight import KernelWeight, with_kernels
from tests.models.arm import ArmProduct, ArmQuantizer
from tests.models.stored import DENSE, PANELS, WHOLE, lut, made, needs_kernels, relative_error

LIBRARIES = Path(torch.__file__).parent / "lib"


@needs_kernels
@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 33])
@pytest.mark.parametrize(("rows", "columns"), [(4, 64), (36, 192), (100, 320)])
def test_the_product_is_torchs_with_the_expanded_matrix(form: str, rows: int, columns: int, tokens: int) -> None:
    check_product(form, rows, columns, tokens)


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 5, 6, 7, 8, 9])
@pytest.mark.usefixtures("processor")
def test_so_it_is_on_every_kind_of_processor(form: str, tokens: int) -> None:
    check_product(form, 36, 192, tokens)


def check_product(form: str, rows: int, columns: int, tokens: int) -> None:
    stored, weight = made(form, rows, columns)
    assert isinstance(weight, KernelWeight)
    x, bias = torch.randn(1, tokens, columns), torch.randn(rows)
    got = weight.linear(x, bias)
    assert got.shape == (1, tokens, rows)
    wanted = F.linear(x.double(), stored.dense(torch.float64), bias.double())
    packed = WHOLE if tokens <= MOST_TOKENS else PANELS
    assert relative_error(got, wanted) < (DENSE if form in ("fp16", "bf16", "fp32") else packed)


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("form", ["int4", "int8", "fp16", "bf16", "fp32"])
@pytest.mark.parametrize("rows", [1, 7, 33])
def test_an_odd_number_of_rows_is_multiplied(form: str, rows: int) -> None:
    stored, weight = made(form, rows, 128)
    assert isinstance(weight, KernelWeight)
    x = torch.randn(3, 128)
    assert relative_error(weight.linear(x, None), F.linear(x, stored.dense(torch.float32))) < WHOLE


def test_columns_that_kernels_do_not_take_are_left_to_torch(form: str) -> None:
    stored, weight = made(form, 8, 96)
    assert weight is stored


def test_without_kernels_a_weight_stays_as_it_is(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "instructions", lambda: None)
    stored, weight = made(form, 8, 64)
    assert weight is stored


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("group", [1, 2, 3, 12, 36])
def test_codebooks_of_any_number_of_rows_are_told_apart(bits: int, group: int) -> None:
    torch.manual_seed(group)
    stored = lut(bits, 36, 64, group)
    weight = with_kernels(stored)
    assert isinstance(weight, KernelWeight)
    for tokens, limit in ((1, WHOLE), (5, WHOLE), (weight.matrix.in_passes + 1, PANELS)):
        x = torch.randn(tokens, 64)
        assert relative_error(weight.linear(x, None), F.linear(x, stored.dense(torch.float32))) < limit


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_what_is_no_number_makes_its_token_none_and_no_other(form: str, number: float) -> None:
    _, weight = made(form, 8, 128)
    assert isinstance(weight, KernelWeight)
    for tokens in (2, weight.matrix.in_passes + 1):
        x = torch.randn(tokens, 128)
        x[1, 70] = number
        got = weight.linear(x, None).isfinite()
        assert not got[1].any()
        assert got[0].all()


@needs_kernels
def test_other_shapes_types_and_modes_of_activations_are_taken(form: str) -> None:
    stored, weight = made(form, 36, 192)
    assert isinstance(weight, KernelWeight)
    many = weight.matrix.in_passes + 1
    with torch.inference_mode():
        assert weight.linear(torch.zeros(0, 192), None).shape == (0, 36)
        weight.linear(torch.randn(many, 192), None)
    for x in (
        torch.randn(192, many).t(),
        torch.randn(192, 3).t(),
        torch.randn(3, 192).double(),
        torch.randn(many, 192),
    ):
        assert relative_error(weight.linear(x, None), F.linear(x.float(), stored.dense(torch.float32))) < PANELS


@needs_kernels
@pytest.mark.parametrize("tokens", [1, 3, 8])
def test_results_do_not_depend_on_threads(
    form: str, tokens: int, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.kernels.matrix._THREAD_BYTES", 1)
    _, weight = made(form, 100, 128)
    x = torch.randn(tokens, 128)
    got = []
    for count in (1, 2, 5):
        threads(count)
        got.append(weight.linear(x, None))
    assert torch.equal(got[0], got[1])
    assert torch.equal(got[0], got[2])


@needs_kernels
def test_threads_of_its_own_serve_where_torch_shows_none(
    form: str, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.kernels.matrix._THREAD_BYTES", 1)
    _, weight = made(form, 100, 128)
    x = torch.randn(2, 128)
    threads(3)
    wanted = weight.linear(x, None)
    pools: list[int] = []
    pool = machine._pool

    def watched(count: int) -> ThreadPoolExecutor:
        pools.append(count)
        return pool(count)

    monkeypatch.setattr(machine, "_pool", watched)
    monkeypatch.setattr(machine, "_openmp", lambda: None)
    assert torch.equal(weight.linear(x, None), wanted)
    assert pools == [3, 3]


@needs_kernels
def test_a_small_matrix_is_one_thread_s_and_a_large_one_all_threads(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    monkeypatch.setattr(machine, "_openmp", lambda: lambda _kernel, _job, count, _flags: taken.append(count))
    threads(3)
    for rows in (64, 8192):  # of 1 KiB: float32
        made("fp32", rows, 256)[1].linear(torch.randn(1, 256), None)
    assert taken == [3]


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("form", ["lut4", "lut6", "lut8", "int4", "int8"])
def test_tokens_multiplied_together_give_the_same_bits_as_alone(form: str) -> None:
    _, weight = made(form, 36, 192)
    assert isinstance(weight, KernelWeight)
    x = torch.randn(min(11, weight.matrix.in_passes), 192)
    together = weight.linear(x, None)
    assert all(torch.equal(together[k], weight.linear(x[k : k + 1], None)[0]) for k in range(len(x)))


@pytest.mark.usefixtures("processor")
def test_the_largest_numbers_do_not_overflow(form: str) -> None:
    stored, _ = made(form, 4, 64)
    if isinstance(stored, BlockWeight):
        stored.values.fill_(-128 if form == "int8" else 0x88)  # the lowest number of each width
    elif isinstance(stored, LutWeight):
        stored.codebook.fill_(-60000.0)
    else:
        pytest.skip("no whole numbers")
    x = torch.full((1, 64), 1000.0)
    got = with_kernels(stored).linear(x, None)
    assert relative_error(got, F.linear(x, stored.dense(torch.float32))) < WHOLE


@needs_kernels
@pytest.mark.parametrize("bits", [4, 6, 8])
def test_a_codebook_of_which_16_bits_keep_little_is_left_to_torch(bits: int) -> None:
    torch.manual_seed(bits)
    stored = lut(bits, 36, 64, 12)
    assert isinstance(stored, LutWeight)
    for largest, taken in ((100, True), (0, True), (10_000, False)):
        stored.codebook[1] = torch.randn(1 << bits).half() if largest else 0
        stored.codebook[1, 0] = largest
        weight = with_kernels(stored)
        assert (weight is not stored) == taken
        x = torch.randn(2, 64)
        assert relative_error(weight.linear(x, None), F.linear(x, stored.dense(torch.float32))) < WHOLE


@pytest.mark.usefixtures("processor")
def test_zeros_and_single_large_activations_stay_exact_enough(form: str) -> None:
    stored, weight = made(form, 36, 128)
    x = torch.zeros(2, 128)
    x[1, 5] = 3e4
    got = weight.linear(x, None)
    assert torch.equal(got[0], torch.zeros(36))
    assert relative_error(got[1], F.linear(x, stored.dense(torch.float32))[1]) < WHOLE


@needs_kernels
def test_rows_and_parts_are_the_stored_weights(form: str) -> None:
    stored, weight = made(form, 8, 64)
    ids = torch.tensor([[3, 0], [7, 7]])
    assert torch.equal(weight.rows(ids, torch.float32), stored.rows(ids, torch.float32))
    assert torch.equal(weight.dense(torch.float32), stored.dense(torch.float32))
    assert torch.equal(weight.part(0, 4, torch.float32), stored.part(0, 4, torch.float32))


@pytest.mark.parametrize("tile_rows", [1, 3, 6, 100])
@pytest.mark.usefixtures("processor")
def test_many_tokens_are_multiplied_by_tiles(form: str, tile_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.kernels.weight._TILE_BYTES", 4 * 192 * tile_rows)
    stored, weight = made(form, 36, 192)
    assert isinstance(weight, KernelWeight)
    weight.matrix.in_panels = False
    x, bias = torch.randn(weight.matrix.in_passes + 1, 192), torch.randn(36)
    got = weight.linear(x, bias)
    wanted = F.linear(x.double(), stored.dense(torch.float64), bias.double())
    # Activations stay float32; codebooks are whole numbers of 16 bits.
    assert relative_error(got, wanted) < (3e-5 if form.startswith("lut") else DENSE)


@needs_kernels
def test_tiles_do_not_depend_on_threads(
    form: str, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.kernels.matrix._THREAD_BYTES", 1)
    _, weight = made(form, 100, 128)
    assert isinstance(weight, KernelWeight)
    tiles = []
    for count in (1, 3):
        threads(count)
        tiles.append(weight.matrix.expand(40, torch.zeros(60, 128)))
    assert torch.equal(*tiles)


@pytest.mark.parametrize("cpu", ["generic", "cortex-a72", "neoverse-n1", "apple-m4"])
def test_arm_processors_of_other_years_run_the_same(form: str, cpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "instructions", Neon)
    monkeypatch.setattr(matrix, "_product", functools.partial(ArmProduct, cpu=cpu))
    monkeypatch.setattr(matrix, "_quantizer", functools.partial(ArmQuantizer, cpu=cpu))
    stored, weight = made(form, 8, 128)
    x = torch.randn(2, 128)
    assert relative_error(weight.linear(x, None), F.linear(x, stored.dense(torch.float32))) < WHOLE


@pytest.mark.parametrize(
    ("triple", "features", "wanted"),
    [
        ("x86_64-unknown-linux-gnu", {"avx2": True, "fma": True, "f16c": True}, Avx2),
        ("x86_64-unknown-linux-gnu", {"avx2": False, "fma": True, "f16c": True}, None),
        ("x86_64-unknown-linux-gnu", dict.fromkeys(Avx512.needed, True), Avx512),
        ("x86_64-unknown-linux-gnu", dict.fromkeys(Avx512.needed, True) | {"avx512vbmi": False}, Avx2),
        ("arm64-apple-darwin24.6.0", {}, Neon),
        ("aarch64-unknown-linux-gnu", {"neon": True}, Neon),
        ("aarch64_be-unknown-linux-gnu", {"neon": True}, None),
        ("armv7l-unknown-linux-gnueabihf", {"neon": True}, None),
        ("riscv64-unknown-linux-gnu", {}, None),
    ],
)
def test_a_processor_has_its_instructions(triple: str, features: dict[str, bool], wanted: type | None) -> None:
    assert type(instructions_of(triple, features)) is (wanted or type(None))


@pytest.mark.skipif(not list(LIBRARIES.glob("libgomp*.so*")), reason="this torch has no OpenMP library of GNU's")
def test_torchs_own_threads_are_found_under_either_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> bool:
        return machine._openmp.__wrapped__() is not None

    folder = tmp_path / "torch" / "lib"
    folder.mkdir(parents=True)
    monkeypatch.setattr(torch, "__file__", str(folder.parent / "__init__.py"))
    assert not found()
    (folder / "libomp.0.dylib").symlink_to(LIBRARIES / "libc10.so")  # loaded, yet not what it is called
    (folder / "libomp.1.dylib").write_bytes(b"")  # not loaded
    assert not found()
    [openmp] = LIBRARIES.glob("libgomp*.so*")
    (folder / "libomp.dylib").symlink_to(openmp)
    assert found()
    (folder / "libomp.dylib").unlink()
    (folder / openmp.name).write_bytes(b"")  # whichever of its name is loaded
    assert found()
