"""Falcons of true shapes with random weights, made where they are measured, and bundles of them on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from models.compressed import CompressedEmbedding, CompressedLinear, DenseWeight, LutWeight, Weight
from models.config import FalconConfig
from models.falcon import Falcon
from models.family import FAMILY
from runtime.manifest import ALIGNMENT, FileEntry, Manifest, Part, ProgramEntry, Source, WeightEntry

_TINY = FalconConfig(
    vocab_size=320,
    hidden_size=96,
    num_layers=2,
    num_heads=3,
    num_kv_heads=1,
    ffn_hidden_size=384,
    context_length=64,
)
SHAPES: dict[str, FalconConfig] = {
    "7b": FAMILY["7b"],
    "40b": FAMILY["40b"],
    "tiny-7b": _TINY,
    "tiny-40b": replace(_TINY, hidden_size=128, num_heads=8, num_kv_heads=2, ffn_hidden_size=512, norms_per_block=2),
}
_GROUP = 32
_TYPES = {torch.uint8: "uint8", torch.float16: "fp16"}


class RandomLayers:
    """Layers of weights in `form`, `lut4` or `bf16`; embedding and head of lut4 models keep 8 bits, as in bundles."""

    def __init__(self, form: str, device: torch.device) -> None:
        self._form = form
        self._device = device
        self._embedding: Weight | None = None

    def linear(self, name: str, in_features: int, out_features: int, *, bias: bool) -> nn.Module:
        if name == "lm_head" and self._embedding is not None:
            return CompressedLinear(self._embedding)
        with self._device:
            offset = torch.zeros(out_features) if bias else None
        return CompressedLinear(self._weight(out_features, in_features, self._form), offset)

    def embedding(self, name: str, rows: int, columns: int) -> nn.Module:  # noqa: ARG002
        self._embedding = self._weight(rows, columns, "lut8" if self._form == "lut4" else self._form)
        return CompressedEmbedding(self._embedding, torch.float32)

    def _weight(self, rows: int, columns: int, form: str) -> Weight:
        with self._device:
            if form == "bf16":
                return DenseWeight(torch.empty(rows, columns, dtype=torch.bfloat16).normal_(std=0.02))
            bits = int(form.removeprefix("lut"))
            indices = torch.randint(0, 256, (rows, columns * bits // 8), dtype=torch.uint8)
            return LutWeight(indices, 0.02 * torch.randn(rows // _GROUP, 1 << bits).half(), index_bits=bits)


def random_falcon(shape: str, form: str, device: torch.device) -> Falcon:
    """A Falcon of one of SHAPES on `device`, its layers compressed ones."""
    with torch.device(device):
        model = Falcon(SHAPES[shape], RandomLayers(form, device))
    return model.eval().requires_grad_(False)


def write_bundle(model: Falcon, folder: Path) -> None:
    """As much of a bundle as the torch and cuda backends open: no Core ML program, no tokenizer, no hashes."""
    weights: dict[str, WeightEntry] = {}
    file = folder / "weight.bin"
    with file.open("wb") as out:

        def part(tensor: Tensor, dtype: str, shape: tuple[int, ...]) -> Part:
            out.write(bytes(-out.tell() % ALIGNMENT))
            offset = out.tell()
            out.write(tensor.contiguous().cpu().view(torch.uint8).numpy().tobytes())
            return Part(offset=offset, bytes=out.tell() - offset, dtype=dtype, shape=shape)

        for name, module in model.named_modules():
            if isinstance(module, CompressedEmbedding | CompressedLinear) and name != "lm_head":
                weight = module.weight
                assert isinstance(weight, LutWeight)
                bits = weight.index_bits
                parts = {
                    "indices": part(weight.indices, f"uint{bits}", weight.shape),
                    "codebook": part(weight.codebook, "fp16", tuple(weight.codebook.shape)),
                }
                weights[f"{name}.weight"] = WeightEntry(format=f"lut{bits}", shape=weight.shape, parts=parts)
            elif isinstance(module, nn.LayerNorm):
                for kind, tensor in module.named_parameters():
                    size = tuple(tensor.shape)
                    values = part(tensor.half(), "fp16", size)
                    weights[f"{name}.{kind}"] = WeightEntry(format="fp16", shape=size, parts={"values": values})
    config = model.config
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "falcon",
                "vocab_size": config.vocab_size,
                "hidden_size": config.hidden_size,
                "num_hidden_layers": config.num_layers,
                "num_attention_heads": config.num_heads,
                "num_kv_heads": config.num_kv_heads,
                "multi_query": config.num_kv_heads == 1,
                "new_decoder_architecture": config.num_kv_heads > 1,
                "ffn_hidden_size": config.ffn_hidden_size,
                "max_position_embeddings": config.context_length,
            }
        ),
        encoding="utf-8",
    )
    Manifest(
        name="random",
        source=Source(name="random", sha256=hashlib.sha256(b"").hexdigest()),
        recipe={},
        context_length=config.context_length,
        vocab_size=config.vocab_size,
        chat_template="",
        weight_file=file.name,
        programs=(ProgramEntry(path="model.mlpackage", target="macOS15", functions=("main",), files=()),),
        files={file.name: FileEntry(bytes=file.stat().st_size, sha256="")},
        weights=weights,
        tools={},
    ).write(folder)
