"""Recipe: which weights get which format, the context length, and how far the result may stray. Data only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from models.config import FalconConfig
from runtime.errors import OptionError

Kind = Literal["lut", "block", "dense"]
Bits = Literal[4, 6, 8, 16]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one matrix is stored: a codebook of 2^bits entries a group of rows, integers with scales, or plain fp16."""

    name: str
    kind: Kind
    bits: Bits
    block_size: int | None = None  # input columns that share a scale; None is the whole row


FORMATS: Mapping[str, Format] = {
    f.name: f
    for f in (
        Format(name="lut4", kind="lut", bits=4),
        Format(name="lut6", kind="lut", bits=6),
        Format(name="lut8", kind="lut", bits=8),
        Format(name="int4", kind="block", bits=4, block_size=32),
        Format(name="int8", kind="block", bits=8),
        Format(name="fp16", kind="dense", bits=16),
    )
}


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What verification accepts: KL divergences in nats a token."""

    exact_kl: float = 1e-4  # package against torch on the same weights
    mean_kl: float  # package against the original weights


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One row of the table below, with what the user chose."""

    linear: str  # a key of FORMATS
    embedding: str  # for the embedding and the head, tied or not
    tolerance: Tolerance
    group_size: int = 32  # output rows that share a codebook
    context_length: int = 2048  # tokens
    size_bytes: int | None = None  # what all tensors may take, where bits were spread by measured error
    calibration: str | None = None  # SHA-256 of the text whose activations weighed the codebooks
    formats: Mapping[str, str] = field(default_factory=dict)  # by tensor, where it differs from the above

    def format_of(self, tensor: str, shape: tuple[int, ...]) -> Format:
        """Format of one tensor; norms, biases and position tables are never compressed."""
        if len(shape) != 2:
            return FORMATS["fp16"]
        if tensor in self.formats:
            return FORMATS[self.formats[tensor]]
        if tensor in ("transformer.word_embeddings.weight", "lm_head.weight"):
            return FORMATS[self.embedding]
        return FORMATS[self.linear]

    def bytes_of(self, tensor: str, shape: tuple[int, ...]) -> int:
        """Bytes of one tensor in the bundle: indices and codebooks, integers and scales, or plain numbers."""
        form = self.format_of(tensor, shape)
        size = math.prod(shape) * form.bits // 8
        if form.kind == "lut":
            size += shape[0] // self.group_size * (2 << form.bits)
        elif form.kind == "block":
            size += 2 * shape[0] * (shape[1] // form.block_size if form.block_size else 1)
        return size

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


# A 4-bit head costs Falcon-7B 1.15 perplexity where 4-bit layers cost 0.12, so it keeps 8 bits.
_TABLE: Mapping[str, tuple[str, Tolerance]] = {
    "lut4": ("lut8", Tolerance(mean_kl=0.25)),
    "lut6": ("lut8", Tolerance(mean_kl=0.03)),
    "lut8": ("lut8", Tolerance(mean_kl=0.01)),
    "int4": ("int8", Tolerance(mean_kl=0.25)),
    "int8": ("int8", Tolerance(mean_kl=0.01)),
    "fp16": ("fp16", Tolerance(mean_kl=0.001)),
}
WEIGHTS = tuple(_TABLE)
_ROW_MULTIPLE: Mapping[Bits, int] = {4: 2, 6: 4}  # columns that fill whole bytes, so that rows can be told apart
_LEAST_CONTEXT = 8  # tokens; tracing's example is 5 long


def check_choices(
    *, weights: str, group_size: int | None, mean_kl: float | None, size_bytes: int | None, calibrated: bool
) -> None:
    """Raises OptionError for what no model can have, so that it is told before one is looked for."""
    if weights not in _TABLE:
        raise OptionError(f"--weights {weights} is unknown; choose one of {', '.join(WEIGHTS)}.")
    has_codebooks = FORMATS[weights].kind == "lut"
    if group_size is not None and not has_codebooks:
        raise OptionError(f"--group-size is of codebooks, and {weights} has none; choose lut4, lut6 or lut8.")
    if group_size is not None and group_size < 1:
        raise OptionError(f"--group-size must be at least 1, not {group_size}.")
    if mean_kl is not None and not 0 < mean_kl < math.inf:  # false for NaN, too
        raise OptionError(f"--max-kl must be a number above 0, not {mean_kl}; --no-verify accepts anything.")
    if size_bytes is not None and weights != "lut4":
        raise OptionError("--size spreads codebooks of 4, 6 and 8 bits by itself; leave out --weights.")
    if calibrated and not has_codebooks:
        raise OptionError(f"--calibrate weighs codebooks, and {weights} has none; choose lut4, lut6 or lut8.")


def make_recipe(
    config: FalconConfig,
    *,
    weights: str = "lut4",
    group_size: int | None = None,
    context_length: int | None = None,
    mean_kl: float | None = None,
    size_bytes: int | None = None,
    calibration: str | None = None,
) -> Recipe:
    """The recipe for one model; `mean_kl` replaces the format's tolerance, a `group_size` of None is Recipe's. Raises
    OptionError for an option that this model cannot have."""
    check_choices(
        weights=weights,
        group_size=group_size,
        mean_kl=mean_kl,
        size_bytes=size_bytes,
        calibrated=calibration is not None,
    )
    if group_size is None:
        group_size = Recipe.group_size
    context = min(2048, config.context_length) if context_length is None else context_length
    if not _LEAST_CONTEXT <= context <= config.context_length:
        raise OptionError(
            f"A context of {context} tokens is outside {_LEAST_CONTEXT} to {config.context_length}, "
            "the positions this model was trained for.",
            option="; choose another with --context",
        )
    embedding, tolerance = _TABLE[weights]
    if FORMATS[embedding].kind == "lut" and config.vocab_size % group_size:
        embedding = "int8"  # fine-tuned models add a token or two: rows with scales of their own make no groups
    if mean_kl is not None:
        tolerance = dataclasses.replace(tolerance, mean_kl=mean_kl)
    recipe = Recipe(
        linear=weights,
        embedding=embedding,
        tolerance=tolerance,
        group_size=group_size,
        context_length=context,
        size_bytes=size_bytes,
        calibration=calibration,
    )
    _check_sizes(recipe, config)
    return recipe


def _check_sizes(recipe: Recipe, config: FalconConfig) -> None:
    """Core ML wants whole groups and blocks; what does not divide is refused here rather than left uncompressed."""
    rows = {config.qkv_features, config.hidden_size, config.ffn_hidden_size}
    ragged = [n for n in sorted(rows) if n % recipe.group_size]
    if FORMATS[recipe.linear].kind == "lut" and ragged:
        raise OptionError(
            f"A group of {recipe.group_size} rows does not divide {ragged[0]}, the rows of one of this model's "
            "matrices; choose weights without codebooks, such as int8.",
            option=", or a divisor of it with --group-size",
        )
    for form in (FORMATS[recipe.linear], FORMATS[recipe.embedding]):
        saved = config.hidden_size * (16 - form.bits) // 8  # bytes of the narrowest rows, against fp16
        codebook = 2 * 2**form.bits
        if form.kind == "lut" and codebook >= saved * recipe.group_size:
            raise OptionError(
                f"--group-size {recipe.group_size} makes this model larger than fp16: {form.name}'s codebooks take "
                f"more than its indices save; choose {codebook // saved + 1} or more."
            )
    multiple = FORMATS[recipe.linear].block_size or _ROW_MULTIPLE.get(FORMATS[recipe.linear].bits, 1)
    wide = [n for n in (config.hidden_size, config.ffn_hidden_size) if n % multiple]
    if wide:
        raise OptionError(
            f"The weights {recipe.linear} need input sizes that {multiple} divides, and {wide[0]} is not one; "
            "choose others.",
            option=" with --weights",
        )
