"""Verification refuses packages that are not what was compressed, or stray from the original, or overflow."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from export.calibrate import Calibration
from export.compress import compress
from export.locate import locate
from export.pipeline import ExportOptions, export
from export.probes import probe_tokens
from export.progress import SilentProgress
from export.recipes import Recipe, make_recipe
from export.reference import CheckpointReader, StoreReader
from export.store import TensorStore
from export.verify import Parity, VerificationError, _round_up, divergence, plan_feeds, verify
from models.checkpoint import Checkpoint, expected_shapes
from models.falcon import position_tables
from runtime.backends.program import CHUNK
from runtime.errors import BundleError
from tests.conftest import Bundles, Checkpoints
from tests.tools import VOCAB_SIZE, dequantized, read_manifest, save_checkpoint, train_tokenizer

WEIGHT_FILE = Path("model.mlpackage/Data/com.apple.CoreML/weights/weight.bin")
DENSE = "transformer.h.1.self_attention.dense.weight"


class Setting:
    """A checkpoint, its compressed tensors and the package that was made of them."""

    def __init__(self, source: Path, bundle: Path, store: TensorStore, weights: str) -> None:
        self.checkpoint = Checkpoint.open(source)
        self.recipe: Recipe = make_recipe(self.checkpoint.config, weights=weights)
        self.bundle = bundle
        self.store = store
        compress(self.checkpoint, self.recipe, store, SilentProgress(), Calibration())

    def verify(self, exact_kl: float = 1e-4) -> Parity:
        return verify(
            self.bundle / "model.mlpackage",
            self.checkpoint.config,
            original=CheckpointReader(self.checkpoint),
            stored=StoreReader(self.store),
            probes=probe_tokens(train_tokenizer(), self.recipe.context_length)[-2:],
            tolerance=dataclasses.replace(self.recipe.tolerance, exact_kl=exact_kl),
            progress=SilentProgress(),
        )

    def locate(self) -> object:
        names = list(expected_shapes(self.checkpoint.config))
        return locate(self.store, names, self.bundle / WEIGHT_FILE, SilentProgress())

    def change_file(self, tensor: str, part: str, change: int) -> None:
        """Flip bits in the first 64 bytes of one array of the package."""
        offset = read_manifest(self.bundle)["weights"][tensor]["parts"][part]["offset"]
        file = np.memmap(self.bundle / WEIGHT_FILE, np.uint8, "r+")
        file[offset : offset + 64] ^= change
        file.flush()


@pytest.fixture
def setting(checkpoints: Checkpoints, bundle_folder: Path, tmp_path: Path) -> Setting:
    return Setting(checkpoints("7b"), bundle_folder, TensorStore(tmp_path / "tensors"), "lut4")


def test_a_package_as_exported_is_passed_with_its_figures(setting: Setting) -> None:
    parity = setting.verify()
    assert parity.exact_max_kl < 1e-4
    assert 0 < parity.mean_kl < parity.p99_kl
    assert 0 < parity.top1_agreement < 1
    assert parity.quality_by == "package"
    json = parity.to_json()
    assert json == dataclasses.asdict(parity)
    assert json.pop("rounding_max_kl") is None
    ranges = json.pop("activations")
    assert max(ranges["embedding"], ranges["head"], *ranges["layers"]) == parity.largest_activation
    assert len(ranges["layers"]) == setting.checkpoint.config.num_layers
    assert all(math.isfinite(value) for value in json.values() if not isinstance(value, str))


def test_the_largest_activation_is_of_all_predictions(setting: Setting) -> None:
    # An independent bound: the residual stream and the MLP of torch's own model on the original weights.
    model = setting.checkpoint.load()
    seen: list[float] = []
    for module in model.modules():
        module.register_forward_hook(lambda _m, _i, out: seen.append(float(out.abs().max())))
    for ids in probe_tokens(train_tokenizer(), 64)[-2:]:
        model(torch.tensor([ids]))
    assert setting.verify().largest_activation == pytest.approx(max(seen), rel=0.2)


def test_a_long_probe_is_fed_beyond_a_runtimes_chunk_and_ends_token_by_token() -> None:
    probes = probe_tokens(train_tokenizer(), 2048)
    assert max(map(len, probes[:-1])) <= 48
    assert len(probes[-1]) > 2 * CHUNK
    for large in (False, True):
        feed = plan_feeds(probes, large=large)[-1]
        assert feed.probe == len(probes) - 1
        assert sum(feed.pieces) == len(probes[-1])
        assert feed.pieces[0] == CHUNK
        assert feed.pieces[-2:] == (1, 1)
    assert len(plan_feeds(probes, large=True)) == 1


def test_a_program_that_is_wrong_at_late_positions_only_is_refused(setting: Setting) -> None:
    table = position_tables(setting.checkpoint.config)["cos"].half().numpy()
    data = (setting.bundle / WEIGHT_FILE).read_bytes()
    offset = data.index(table.tobytes()) + table[:50].nbytes
    table[50:] *= -1
    with (setting.bundle / WEIGHT_FILE).open("r+b") as file:
        file.seek(offset)
        file.write(table[50:].tobytes())
    with pytest.raises(VerificationError, match="KL against torch on the same weights"):
        setting.verify()


def test_of_a_large_program_torch_judges_the_short_probes(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    by_package = setting.verify()
    monkeypatch.setattr("export.verify._SMALL_WEIGHTS", 0)
    parity = setting.verify()
    assert (by_package.quality_by, parity.quality_by) == ("package", "torch")
    short = probe_tokens(train_tokenizer(), setting.recipe.context_length)[-2]
    assert (parity.package_positions, parity.quality_positions) == (4, len(short))
    assert parity.exact_max_kl < 1e-4
    assert parity.mean_kl == pytest.approx(by_package.mean_kl, rel=0.5)


def test_a_store_that_changed_after_the_package_was_made_is_found(setting: Setting) -> None:
    setting.locate()
    indices = np.load(setting.store.folder / DENSE / "indices.npy", mmap_mode="r+")
    indices[3, 5] ^= 1
    indices.flush()
    with pytest.raises(BundleError, match=rf"does not hold {DENSE} \(indices\)"):
        setting.locate()


def test_one_changed_index_in_the_weight_file_is_found_by_its_bytes(setting: Setting) -> None:
    setting.change_file(DENSE, "indices", 1)
    with pytest.raises(BundleError, match=DENSE):
        setting.locate()


def test_what_rounding_does_in_torch_is_no_fault_of_the_package(setting: Setting) -> None:
    parity = setting.verify(exact_kl=1e-15)
    assert parity.rounding_max_kl is not None
    assert 1e-15 < parity.exact_max_kl <= parity.rounding_max_kl < 1e-4


def test_what_is_more_than_rounding_is_refused_however_little(setting: Setting) -> None:
    setting.change_file("transformer.h.0.mlp.dense_4h_to_h.weight", "codebook", 0x80 | 0x40)
    with pytest.raises(VerificationError, match="KL against torch on the same weights"):
        setting.verify(exact_kl=1e-15)


def test_a_package_with_other_weights_is_refused(setting: Setting) -> None:
    setting.change_file("transformer.h.0.mlp.dense_4h_to_h.weight", "codebook", 0x80 | 0x40)
    with pytest.raises(VerificationError, match="KL against torch on the same weights"):
        setting.verify()


def test_nan_in_the_package_is_refused(setting: Setting) -> None:
    setting.change_file("transformer.h.0.input_layernorm.weight", "values", 0)
    offset = read_manifest(setting.bundle)["weights"]["transformer.h.0.input_layernorm.weight"]["parts"]["values"]
    file = np.memmap(setting.bundle / WEIGHT_FILE, np.uint8, "r+")
    file[offset["offset"] : offset["offset"] + 2] = np.array([np.nan], np.float16).view(np.uint8)
    file.flush()
    with pytest.raises(VerificationError, match="KL against torch on the same weights is nan"):
        setting.verify()


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.3217, "0.33"), (0.25, "0.26"), (0.01, "0.011"), (7.0, "7.1"), (96, "97")]
)
def test_the_limit_that_is_proposed_accepts_what_was_measured(value: float, rounded: str) -> None:
    assert f"{_round_up(value):g}" == rounded
    assert float(rounded) > value


def test_activations_beyond_half_precision_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    source = save_checkpoint("7b", tmp_path / "source")
    tensors = load_file(source / "model.safetensors")
    tensors["transformer.h.0.mlp.dense_h_to_4h.weight"] *= 2.0**15
    tensors["transformer.h.0.mlp.dense_4h_to_h.weight"] *= 2.0**-15  # the model as such works as before
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(VerificationError, match="float16 ends at 65,504"):
        export(str(source), ExportOptions(output=tmp_path / "out" / "x", weights="fp16"), SilentProgress())
    assert not (tmp_path / "out").exists()


def test_the_divergence_is_torchs() -> None:
    left, right = torch.randn(2, 5, VOCAB_SIZE, generator=torch.Generator().manual_seed(0))
    wanted = F.kl_div(right.log_softmax(-1), left.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    torch.testing.assert_close(divergence(left, right), wanted.double(), rtol=1e-4, atol=1e-6)
    assert float(divergence(left, left).max()) == 0


def test_the_store_gives_back_what_the_bundle_holds(setting: Setting, bundles: Bundles) -> None:
    reader = StoreReader(setting.store)
    for name, array in dequantized(bundles("7b", "lut4")).items():
        read = reader.vector(name).float() if array.ndim == 1 else reader.matrix(name).dense(torch.float32)
        np.testing.assert_array_equal(read.numpy(), array)
