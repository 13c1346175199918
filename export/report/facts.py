"""What the page shows, read from the report with every type checked: what is of another type counts as absent."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HALF_MAX = 65504  # the largest float16
_SENSE = 1e30  # numbers beyond it count as none: no figure of a bundle comes near

_LAYER = re.compile(r"transformer\.h\.(\d{1,6})\.(.+)\.weight")
_LABELS = {
    "self_attention.query_key_value": "attention: query, key, value",
    "self_attention.dense": "attention: output",
    "mlp.dense_h_to_4h": "MLP: up",
    "mlp.dense_4h_to_h": "MLP: down",
    "transformer.word_embeddings.weight": "embedding",
    "lm_head.weight": "head",
}
_ORDER = list(_LABELS.values())
SMALL = "norms and biases"


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """One tensor with rows and columns. `layer` is None for embedding and head; `error` is relative, squared."""

    name: str
    label: str
    layer: int | None
    format: str
    bits: float  # a weight, codebooks and scales included
    error: float | None


@dataclass(frozen=True, kw_only=True)
class Share:
    """A part of the bundle's bytes. `weights` is 0 for what is no tensor."""

    label: str
    formats: str
    tensors: int
    weights: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Section:
    """Ops by type in one layer, or in what comes before or after all of them, where `layer` is None."""

    label: str
    layer: int | None
    ops: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the page shows. Figures that the report lacks are missing from `parity` and `activations`."""

    name: str
    sha256: str
    source: Mapping[str, str]
    recipe: Mapping[str, Any]
    settings: Mapping[str, str]
    calibrated_on: str  # what text; empty for none
    size_asked: float | None  # bytes that all tensors might take
    matrices: Sequence[Matrix]
    shares: Sequence[Share]  # largest first
    bytes: int
    weights: int
    bits: float | None  # a weight, over all tensors
    parity: Mapping[str, float]
    quality_by: str
    tolerance: Mapping[str, float]
    activations: Sequence[tuple[str, float]]  # section, largest magnitude
    ops: Mapping[str, int]
    sections: Sequence[Section]
    files: Sequence[tuple[str, int, str]]  # path, bytes, SHA-256
    tools: Mapping[str, str]

    @classmethod
    def read(cls, report: Mapping[str, Any]) -> Facts:
        """From what `gather` gives."""
        parity, recipe = _mapping(report.get("parity")), _mapping(report.get("recipe"))
        errors = _numbers(parity.get("relative_squared_error"))
        tensors = {str(name): _mapping(entry) for name, entry in _mapping(report.get("weights")).items()}
        files = [
            (str(path), int(_number(_mapping(entry).get("bytes")) or 0), str(_mapping(entry).get("sha256", "")))
            for path, entry in _mapping(report.get("files")).items()
        ]
        weights = sum(_count(entry) for entry in tensors.values())
        stored = sum(_number(entry.get("bytes")) or 0 for entry in tensors.values())
        census = _mapping(parity.get("census"))
        return cls(
            name=str(report.get("name", "")),
            sha256=str(report.get("sha256", "")),
            source={key: str(value) for key, value in _mapping(report.get("source")).items() if value is not None},
            recipe=recipe,
            settings=_settings(report),
            calibrated_on=_calibrated_on(recipe),
            size_asked=_number(recipe.get("size_bytes")),
            matrices=[_matrix(n, e, errors.get(n)) for n, e in tensors.items() if len(_shape(e)) > 1],
            shares=_shares(tensors, files, str(report.get("weight_file", ""))),
            bytes=sum(size for _, size, _ in files),
            weights=weights,
            bits=8 * stored / weights if weights else None,
            parity=_numbers(parity),
            quality_by=str(parity.get("quality_by", "package")),
            tolerance=_numbers(recipe.get("tolerance")),
            activations=_activations(parity.get("activations")),
            ops=_ops(census.get("ops")),
            sections=_sections(census),
            files=files,
            tools={str(name): str(version) for name, version in _mapping(report.get("tools")).items()},
        )

    @property
    def verified(self) -> bool:
        """Whether the package was compared with the original weights."""
        return "mean_kl" in self.parity

    @property
    def layers(self) -> list[int]:
        """Numbers of the layers that hold matrices."""
        return sorted({m.layer for m in self.matrices if m.layer is not None})


def _settings(report: Mapping[str, Any]) -> dict[str, str]:
    programs = [_mapping(program) for program in _list(report.get("programs")) if isinstance(program, Mapping)]
    context, vocabulary = _number(report.get("context_length")), _number(report.get("vocab_size"))
    settings = {
        "context": f"{context:,.0f} tokens" if context else "",
        "vocabulary": f"{vocabulary:,.0f} tokens" if vocabulary else "",
        "chat format": str(report.get("chat_template", "")),
        "program": ", ".join(f"{p.get('path')} for {p.get('target')}" for p in programs),
        "bundle format": str(report.get("format_version", "")),
    }
    return {key: value for key, value in settings.items() if value}


def _calibrated_on(recipe: Mapping[str, Any]) -> str:
    digest, tokens = recipe.get("calibration"), _number(recipe.get("calibration_tokens"))
    if not isinstance(digest, str):
        return ""
    return f"{tokens:,.0f} tokens of a text with SHA-256 {digest}" if tokens else f"a text with SHA-256 {digest}"


def _matrix(name: str, entry: Mapping[str, Any], error: float | None) -> Matrix:
    layer, label = _place(name)
    stored = _number(entry.get("stored", entry.get("bytes"))) or 0
    bits = 8 * stored / (_count(entry) or 1)
    return Matrix(name=name, label=label, layer=layer, format=str(entry.get("format", "")), bits=bits, error=error)


def _place(name: str) -> tuple[int | None, str]:
    match = _LAYER.fullmatch(name)
    if match:
        return int(match[1]), _LABELS.get(match[2], match[2])
    return None, _LABELS.get(name, name)


def by_label(matrices: Sequence[Matrix]) -> dict[str, list[Matrix]]:
    """The matrices of layers, by what they do, in the order of the program."""
    found: dict[str, list[Matrix]] = defaultdict(list)
    for matrix in matrices:
        if matrix.layer is not None:
            found[matrix.label].append(matrix)
    rank = {label: place for place, label in enumerate(_ORDER)}
    return {label: found[label] for label in sorted(found, key=lambda label: (rank.get(label, len(rank)), label))}


def _shares(
    tensors: Mapping[str, Mapping[str, Any]], files: Sequence[tuple[str, int, str]], weight_file: str
) -> list[Share]:
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for name, entry in tensors.items():
        groups[_place(name)[1] if len(_shape(entry)) > 1 else SMALL].append(entry)
    shares = [
        Share(
            label=label,
            formats=", ".join(sorted({str(entry.get("format", "")) for entry in entries})),
            tensors=len(entries),
            weights=sum(_count(entry) for entry in entries),
            bytes=int(sum(_number(entry.get("bytes")) or 0 for entry in entries)),
        )
        for label, entries in groups.items()
    ]
    rest = sum(size for path, size, _ in files if path == weight_file) - sum(share.bytes for share in shares)
    others = sum(size for path, size, _ in files if path != weight_file)
    for label, size in (("tables and padding in the weight file", rest), ("program, tokenizer and texts", others)):
        if size > 0:
            shares.append(Share(label=label, formats="", tensors=0, weights=0, bytes=size))
    return sorted(shares, key=lambda share: -share.bytes)


def _activations(value: Any) -> list[tuple[str, float]]:
    """`{"embedding": x, "layers": [x, …], "head": x}`, as the census is built; each part may be missing."""
    found: list[tuple[str, Any]] = []
    raw = _mapping(value)
    found.append(("embedding", raw.get("embedding")))
    found += [(f"layer {number}", largest) for number, largest in enumerate(_list(raw.get("layers")))]
    found.append(("head", raw.get("head")))
    checked = ((label, _number(largest)) for label, largest in found)
    return [(label, abs(largest)) for label, largest in checked if largest is not None]


def _sections(census: Mapping[str, Any]) -> list[Section]:
    layers = [(f"layer {number}", number, ops) for number, ops in enumerate(_list(census.get("layers")))]
    every = [("before", None, census.get("embedding")), *layers, ("after", None, census.get("head"))]
    return [Section(label=label, layer=layer, ops=_ops(ops)) for label, layer, ops in every if isinstance(ops, Mapping)]


def _ops(value: Any) -> dict[str, int]:
    return {name: int(count) for name, count in _numbers(value).items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= _SENSE else None  # false for NaN; exact for whole numbers of any size


def _numbers(value: Any) -> dict[str, float]:
    checked = ((str(key), _number(item)) for key, item in _mapping(value).items())
    return {key: item for key, item in checked if item is not None}


def _shape(entry: Mapping[str, Any]) -> list[int]:
    return [int(_number(length) or 0) for length in _list(entry.get("shape"))]


def _count(entry: Mapping[str, Any]) -> int:
    """Weights of a tensor; a shape beyond all sense counts as the largest that makes sense."""
    return max(0, min(math.prod(_shape(entry)), 1 << 60))
