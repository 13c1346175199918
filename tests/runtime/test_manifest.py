"""The manifest: what is written is what is read, and what it says is true."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import BundleError
from runtime.manifest import BITS, FileEntry, Manifest, Part, ProgramEntry, Source, WeightEntry, set_aside_path
from tests.conftest import Bundles
from tests.tools import dequantized, read_manifest, write_manifest

WEIGHTS = {
    "a": WeightEntry(
        format="lut4",
        shape=(64, 8),
        parts={
            "indices": Part(offset=64, bytes=256, dtype="uint4", shape=(64, 8)),
            "codebook": Part(offset=320, bytes=64, dtype="fp16", shape=(2, 16)),
        },
    ),
    "b": WeightEntry(format="fp16", shape=(8,), parts={"values": Part(offset=384, bytes=16, dtype="fp16", shape=(8,))}),
}
MANIFEST = Manifest(
    name="größe",
    source=Source(name="tiiuae/falcon-7b", sha256="ab" * 32, revision="main"),
    recipe={"linear": "lut4", "tolerance": {"mean_kl": 0.25}},
    context_length=2048,
    vocab_size=65024,
    chat_template="raw",
    weight_file="m/weight.bin",
    programs=(ProgramEntry(path="m", target="macOS15", functions=("main",), files=("m/weight.bin",)),),
    files={"m/weight.bin": FileEntry(bytes=400, sha256="cd" * 32)},
    weights=WEIGHTS,
    tools={"python": "3.11"},
    parity={"mean_kl": 0.1},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    assert Manifest.read(tmp_path) == MANIFEST
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["name"] == "größe"


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a piece of JSON with each of its keys."""
    if isinstance(value, dict | list):
        for key, below in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from places(below)


def test_keys_of_a_later_program_are_passed_over(tmp_path: Path) -> None:
    raw = json.loads(json.dumps(dataclasses.asdict(MANIFEST)))
    by_name = [raw["files"], raw["weights"], *(entry["parts"] for entry in raw["weights"].values())]
    objects = [raw, *(box[key] for box, key in places(raw) if isinstance(box[key], dict))]
    free = [raw["recipe"], raw["recipe"]["tolerance"], raw["tools"], raw["parity"]]
    for known in objects:
        if not any(known is other for other in (*by_name, *free)):
            known["of_a_later_program"] = [{"x": None}]
    write_manifest(tmp_path, raw)
    assert Manifest.read(tmp_path) == MANIFEST


@pytest.mark.parametrize("wrong", [None, True, 5, -1, 1.5, "x", [], [5], {}, {"x": 5}], ids=json.dumps)
def test_a_value_of_the_wrong_type_is_one_sentence(tmp_path: Path, wrong: object) -> None:
    raw = json.loads(json.dumps(dataclasses.asdict(MANIFEST)))
    free = {"revision", "linear", "tolerance", "mean_kl", "python"}  # may be null, or are below what is not looked into
    sentences = []
    for box, key in places(raw):
        right, box[key] = box[key], wrong
        write_manifest(tmp_path, raw)
        try:
            Manifest.read(tmp_path)
            assert type(right) is type(wrong) or key in free
        except BundleError as error:
            sentences.append(str(error))
        box[key] = right
    assert len(sentences) > 20
    assert not any("\n" in sentence for sentence in sentences)
    write_manifest(tmp_path, raw)
    assert Manifest.read(tmp_path) == MANIFEST


@pytest.mark.parametrize(
    ("name", "part", "changes"),
    [
        ("a", "codebook", {"dtype": "uint8", "shape": (2, 32)}),
        ("a", "codebook", {"shape": (4, 8)}),
        ("a", "codebook", {"shape": (0, 16), "bytes": 0}),
        ("a", "codebook", {"shape": (3, 16), "bytes": 96}),
        ("a", "indices", {"shape": (-64, -8)}),
        ("a", "indices", {"shape": (8, 64)}),
        ("a", "indices", {"shape": (512,)}),
        ("b", "values", {"shape": (4, 2)}),
        ("c", "scale", {"shape": (8, 4)}),
        ("c", "scale", {"shape": (64,), "bytes": 128}),
        ("c", "scale", {"shape": (64, 3), "bytes": 384}),
        ("c", "values", {"dtype": "uint4"}),
    ],
)
def test_a_part_that_does_not_fit_its_weight_is_one_sentence(
    tmp_path: Path, name: str, part: str, changes: dict[str, Any]
) -> None:
    blocks = WeightEntry(
        format="int4",
        shape=(64, 8),
        parts={
            "values": Part(offset=64, bytes=256, dtype="int4", shape=(64, 8)),
            "scale": Part(offset=320, bytes=256, dtype="fp16", shape=(64, 2)),
        },
    )
    manifest = dataclasses.replace(MANIFEST, weights={**WEIGHTS, "c": blocks})
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    raw = read_manifest(tmp_path)
    raw["weights"][name]["parts"][part] |= changes
    write_manifest(tmp_path, raw)
    with pytest.raises(BundleError, match=r"manifest.json is damaged .*; export the bundle again\.$"):
        Manifest.read(tmp_path)


def test_a_bundle_that_was_being_replaced_is_found(tmp_path: Path) -> None:
    old = set_aside_path(tmp_path / "bundle")
    old.mkdir()
    with pytest.raises(BundleError, match=f"the old bundle is in {re.escape(str(old))}: rename it back, or run the"):
        Manifest.read(tmp_path / "bundle")


def test_the_same_manifest_gives_the_same_bytes(tmp_path: Path) -> None:
    texts = []
    for files in (MANIFEST.files, dict(reversed(list(MANIFEST.files.items())))):
        dataclasses.replace(MANIFEST, files=files, weights=dict(reversed(WEIGHTS.items()))).write(tmp_path)
        texts.append((tmp_path / "manifest.json").read_bytes())
    assert texts[0] == texts[1]


def test_its_paths_are_all_that_it_names() -> None:
    assert set(MANIFEST.paths()) == {"m", "m/weight.bin"}


@pytest.mark.parametrize("weights", ["lut4", "lut6", "lut8", "int4", "int8", "fp16"])
def test_sizes_hashes_and_shapes_are_those_of_the_files(bundles: Bundles, weights: str) -> None:
    folder = bundles("7b", weights)
    manifest = read_manifest(folder)
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    for entry in manifest["weights"].values():
        for part in entry["parts"].values():
            assert part["bytes"] * 8 == math.prod(part["shape"]) * BITS[part["dtype"]]
            assert part["offset"] % 64 == 0
    assert {name: list(array.shape) for name, array in dequantized(folder).items()} == {
        name: entry["shape"] for name, entry in manifest["weights"].items()
    }


def test_no_two_weights_overlap_in_the_file(bundles: Bundles) -> None:
    manifest = read_manifest(bundles("11b", "lut4"))
    spans = sorted(
        (part["offset"], part["offset"] + part["bytes"])
        for entry in manifest["weights"].values()
        for part in entry["parts"].values()
    )
    assert all(left[1] <= right[0] or left == right for left, right in itertools.pairwise(spans))


def test_it_names_source_recipe_tools_and_figures(bundles: Bundles) -> None:
    manifest = read_manifest(bundles("7b", "lut4"))
    assert manifest["format_version"] == 1
    assert manifest["source"]["name"] == "7b"
    assert (manifest["context_length"], manifest["vocab_size"]) == (64, 320)
    assert manifest["recipe"]["linear"] == "lut4"
    assert manifest["recipe"]["embedding"] == "lut8"
    assert {"python", "coremltools", "torch", "numpy"} <= set(manifest["tools"])
    assert manifest["parity"]["exact_max_kl"] < 1e-4
    (program,) = manifest["programs"]
    assert (program["path"], program["target"], program["functions"]) == ("model.mlpackage", "macOS15", ["main"])
