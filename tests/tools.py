"""What tests of exports share: small checkpoints with a tokenizer, and a reader of bundles that is not the program's.

The reader follows docs/bundle-format.md with numpy and json alone, so that it vouches for the manifest's figures.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import FalconConfig as HubConfig
from transformers import FalconForCausalLM

from export.pipeline import ExportOptions, export
from export.progress import SilentProgress
from tests.models.variants import save

VOCAB_SIZE = 320  # 12 control tokens, 256 bytes, 52 merges
CONTROL_TOKENS = [
    *(">>TITLE<<", ">>ABSTRACT<<", ">>INTRODUCTION<<", ">>SUMMARY<<", ">>COMMENT<<", ">>ANSWER<<", ">>QUESTION<<"),
    *(">>DOMAIN<<", ">>PREFIX<<", ">>SUFFIX<<", ">>MIDDLE<<", "<|endoftext|>"),
]
_CORPUS = [
    "User: What is the capital of France?\n\nAssistant: Paris is the capital of France.",
    "The quick brown fox jumps over the lazy dog; the end of the text is near, is it not?",
    "def mean(values):\n    return sum(values) / len(values)\n" * 3,
]


def train_tokenizer(vocab_size: int = VOCAB_SIZE) -> Tokenizer:
    """A byte-level BPE made as Falcon's is."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Punctuation(behavior="contiguous"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=CONTROL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    assert tokenizer.get_vocab_size() == vocab_size
    return tokenizer


def save_checkpoint(variant: str, folder: Path, **options: Any) -> Path:
    """A random Falcon with its tokenizer in Hugging Face's layout."""
    save(variant, folder, **options)
    train_tokenizer().save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def export_bundle(source: Path, output: Path, **options: Any) -> Path:
    """Export without a word."""
    return export(str(source), ExportOptions(output=output, **options), SilentProgress())


def copy_bundle(bundle: Path, target: Path) -> Path:
    """A bundle of one's own, to be damaged; without what Core ML compiled for another test."""
    copy = Path(shutil.copytree(bundle, target, ignore=shutil.ignore_patterns(".compiled")))
    copy.chmod(0o755)
    return copy


def read_manifest(bundle: Path) -> dict[str, Any]:
    """The manifest as plain JSON."""
    raw: dict[str, Any] = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    return raw


def write_manifest(bundle: Path, manifest: Any) -> None:
    """Put another manifest into a bundle."""
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def dequantized(bundle: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Every tensor of a bundle in float32, from the manifest's offsets and the bytes of the weight file."""
    manifest = read_manifest(bundle)
    data = (bundle / manifest["weight_file"]).read_bytes()
    return {name: _tensor(data, entry) for name, entry in manifest["weights"].items()}


def _tensor(data: bytes, entry: dict[str, Any]) -> npt.NDArray[np.float32]:
    parts = {name: _part(data, part) for name, part in entry["parts"].items()}
    shape = tuple(entry["shape"])
    if set(parts) == {"indices", "codebook"}:
        rows = np.arange(shape[0]) // (shape[0] // len(parts["codebook"]))
        out = parts["codebook"][rows[:, None], parts["indices"].astype(np.int64)]
    elif set(parts) == {"values", "scale"}:
        block = shape[1] // parts["scale"].shape[1]
        out = parts["values"].astype(np.float32) * parts["scale"].astype(np.float32).repeat(block, axis=1)
    else:
        out = parts["values"]
    assert out.shape == shape
    return np.asarray(out, np.float32)


def _part(data: bytes, part: dict[str, Any]) -> npt.NDArray[Any]:
    """One array; sub-byte numbers bit by bit, as a reader with no table of tricks would."""
    raw = data[part["offset"] : part["offset"] + part["bytes"]]
    dtype, shape = part["dtype"], tuple(part["shape"])
    if dtype == "fp16":
        return np.frombuffer(raw, "<f2").reshape(shape)
    if dtype in ("uint8", "int8"):
        return np.frombuffer(raw, dtype).reshape(shape)
    width = int(dtype.removeprefix("u").removeprefix("int"))
    bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[: math.prod(shape) * width]
    values = bits.reshape(-1, width).astype(np.int16) @ (1 << np.arange(width, dtype=np.int16))
    if not dtype.startswith("u"):
        values = np.where(values >= 1 << (width - 1), values - (1 << width), values)
    return values.reshape(shape)


def hub_twin(bundle: Path) -> FalconForCausalLM:
    """transformers' model with the weights that the bundle holds."""
    raw = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    config = HubConfig(**raw)
    config._attn_implementation = "sdpa"  # its eager path adds ALiBi twice
    model = FalconForCausalLM(config).eval().requires_grad_(False)
    state = {name: torch.from_numpy(array) for name, array in dequantized(bundle).items()}
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["transformer.word_embeddings.weight"]
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not missing
    assert not unexpected
    return model


def divergence(reference: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """KL(reference || other) in nats of two rows of scores."""
    p, q = (x.astype(np.float64) - np.logaddexp.reduce(x.astype(np.float64)) for x in (reference, other))
    return float((np.exp(p) * (p - q)).sum())
