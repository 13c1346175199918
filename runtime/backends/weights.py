"""A bundle's weights as torch sees them: mapped from its weight file, in layers that models.falcon is built of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from models.compressed import CompressedEmbedding, CompressedLinear, Weight, mapped_tensor, weight_of
from models.config import FalconConfig
from models.falcon import Falcon, position_tables
from runtime.bundle import Bundle
from runtime.errors import BundleError
from runtime.manifest import Part, WeightEntry

_TYPES = {"fp16": torch.float16, "uint4": torch.uint8, "uint6": torch.uint8, "uint8": torch.uint8}
_TYPES |= {"int4": torch.uint8, "int8": torch.int8}
_INDEX_BITS = {"lut4": 4, "lut6": 6, "lut8": 8}
_EMBEDDING = "transformer.word_embeddings.weight"


def bundle_model(bundle: Bundle, made: Callable[[Weight], Weight]) -> Falcon:
    """The bundle's decoder on the CPU, each matrix what `made` makes of it as it is stored.

    Raises BundleError where the manifest and config.json do not fit each other.
    """
    config = dataclasses.replace(
        FalconConfig.open(bundle.folder / "config.json"), context_length=bundle.manifest.context_length
    )
    with torch.device("meta"):
        model = Falcon(config, _BundleLayers(bundle, made))
    state = {}
    for name, parameter in model.named_parameters():
        entry = _entry(bundle, name)
        if entry.shape != tuple(parameter.shape):
            raise BundleError(f"{bundle.folder}: {name} has another shape than config.json asks for; export it again.")
        state[name] = _array(bundle, entry.parts["values"]).float()
    # Tables as the Core ML program holds them.
    return assembled(model, state, {name: table.half().float() for name, table in position_tables(config).items()})


def assembled(model: Falcon, parameters: Mapping[str, Tensor], tables: Mapping[str, Tensor]) -> Falcon:
    """A model that was made on the meta device over layers with weights of their own, with its other parameters and
    its position tables put in."""
    model.load_state_dict(parameters, assign=True, strict=False)
    for name, table in tables.items():
        setattr(model.transformer, name, table)
    return model.eval().requires_grad_(False)


class _BundleLayers:
    """Layers over the bundle's weights; a tied head shares the embedding's."""

    def __init__(self, bundle: Bundle, made: Callable[[Weight], Weight]) -> None:
        self._bundle = bundle
        self._make = made
        self._made: dict[str, Weight] = {}

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:
        weight = f"{name}.weight"
        if name == "lm_head" and weight not in self._bundle.manifest.weights:
            weight = _EMBEDDING
        return CompressedLinear(
            self._weight(weight, (out_features, in_features)), torch.empty(out_features) if bias else None
        )

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:
        return CompressedEmbedding(self._weight(f"{name}.weight", (rows, columns)), torch.float32)

    def _weight(self, name: str, shape: tuple[int, int]) -> Weight:
        if name not in self._made:
            with torch.device("cpu"):
                weight = _open_weight(self._bundle, _entry(self._bundle, name))
                if weight.shape != shape:
                    raise BundleError(
                        f"{self._bundle.folder}: {name} has another shape than config.json asks for; export it again."
                    )
                self._made[name] = self._make(weight)
        return self._made[name]


def _entry(bundle: Bundle, name: str) -> WeightEntry:
    try:
        return bundle.manifest.weights[name]
    except KeyError:
        raise BundleError(f"{bundle.folder}: the manifest lacks {name}; export the bundle again.") from None


def _open_weight(bundle: Bundle, entry: WeightEntry) -> Weight:
    parts = {name: _array(bundle, part) for name, part in entry.parts.items()}
    return weight_of(parts, index_bits=_INDEX_BITS.get(entry.format, 8))


def _array(bundle: Bundle, part: Part) -> Tensor:
    """A part as a mapped tensor [rows, bytes or elements a row]; sub-byte types stay packed."""
    data = mapped_tensor(bundle.array(part)).view(_TYPES[part.dtype])
    return data.view(part.shape[0], -1) if len(part.shape) > 1 else data
