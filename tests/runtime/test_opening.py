"""Opening a bundle: which backend is taken, and what is refused before a weight is read."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.backends import coreml
from runtime.backends.choice import NAMES, automatic_reason, open_backend
from runtime.bundle import Bundle
from runtime.errors import BackendUnavailableError, BundleError, OptionError
from tests.conftest import Bundles
from tests.tools import read_manifest, write_manifest

NO_COREML = coreml.unavailable_reason()


class TestChoice:
    def test_the_best_that_can_run_is_taken(self, bundles: Bundles) -> None:
        wanted = next(name for name in NAMES if automatic_reason(name) is None)
        assert open_backend(Bundle.open(bundles("7b", "lut4"))).name == wanted

    @pytest.mark.skipif(NO_COREML is None, reason="this machine has Core ML")
    def test_an_unavailable_one_is_refused_with_its_reason(self, bundles: Bundles) -> None:
        with pytest.raises(BackendUnavailableError) as caught:
            open_backend(Bundle.open(bundles("7b", "lut4")), "coreml")
        assert str(NO_COREML) in str(caught.value)

    def test_an_unknown_one_is_refused_with_the_known_ones(self, bundles: Bundles) -> None:
        with pytest.raises(OptionError, match="coreml, cuda, torch, reference"):
            open_backend(Bundle.open(bundles("7b", "lut4")), "cuda13")


class TestManifestAgainstConfig:
    """The torch backend trusts neither of the two."""

    def test_a_missing_weight_is_named(self, bundle_folder: Any) -> None:
        manifest = read_manifest(bundle_folder)
        del manifest["weights"]["transformer.h.1.mlp.dense_4h_to_h.weight"]
        write_manifest(bundle_folder, manifest)
        with pytest.raises(BundleError, match=r"transformer\.h\.1\.mlp\.dense_4h_to_h\.weight"):
            open_backend(Bundle.open(bundle_folder), "torch")

    @pytest.mark.parametrize("tensor", ["transformer.h.0.self_attention.dense.weight", "transformer.ln_f.weight"])
    def test_a_weight_of_another_shape_is_named(self, bundle_folder: Any, tensor: str) -> None:
        manifest = read_manifest(bundle_folder)
        entry = manifest["weights"][tensor]
        manifest["weights"][tensor] = manifest["weights"]["transformer.h.0.mlp.dense_h_to_4h.weight"]
        if len(entry["shape"]) == 1:
            part = entry["parts"]["values"]
            part["shape"], part["bytes"], entry["shape"] = [8], 16, [8]
            manifest["weights"][tensor] = entry
        write_manifest(bundle_folder, manifest)
        with pytest.raises(BundleError, match="another shape"):
            open_backend(Bundle.open(bundle_folder), "torch")
