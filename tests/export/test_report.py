"""The page of `inspect --html`: one file, nothing fetched, nothing injected, pictures that say what the data says."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from export.inspection import inspect, render
from export.report import render_html
from export.report.facts import Facts, Section
from export.report.markup import element, trusted
from export.report.matrices import _ends
from export.report.numbers import compact, small
from export.report.operations import grouped
from export.report.pictures import logarithmic
from runtime.sizes import data_size
from tests.export.html_page import Page

HOSTILE = "</title><script>alert(1)</script>\"'><img src=http://x.example/ onerror=alert(2)>"
LAYER = {"linear": 4, "add": 3, "read_state": 2}
MATRICES = ("self_attention.query_key_value", "self_attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h")


@pytest.fixture
def report() -> dict[str, Any]:
    """Three layers of four matrices; layer 1 has more bits and less error, layer 0 one more `concat`."""
    weights: dict[str, Any] = {
        "transformer.word_embeddings.weight": {"format": "lut8", "shape": [64, 32], "bytes": 2560, "stored": 2560},
        "transformer.ln_f.weight": {"format": "fp16", "shape": [32], "bytes": 64, "stored": 64},
    }
    errors = {"transformer.word_embeddings.weight": 2e-5, "transformer.ln_f.weight": 0.0}
    for layer in range(3):
        for place, matrix in enumerate(MATRICES):
            name = f"transformer.h.{layer}.{matrix}.weight"
            form, size = ("lut6", 896) if layer == 1 else ("lut4", 544)
            weights[name] = {"format": form, "shape": [32, 32], "bytes": size, "stored": size}
            errors[name] = (0.001 if layer == 1 else 0.01) * (1 + place)
    return {
        "name": "falcon-small",
        "sha256": "ab" * 32,
        "format_version": 1,
        "source": {"name": "me/falcon-small", "sha256": "cd" * 32, "revision": None},
        "recipe": {"linear": "lut4", "tolerance": {"mean_kl": 0.25, "exact_kl": 1e-4}},
        "context_length": 256,
        "vocab_size": 64,
        "chat_template": "raw",
        "programs": [{"path": "model.mlpackage", "target": "macOS15", "functions": ["main"], "files": []}],
        "weight_file": "weight.bin",
        "weights": weights,
        "files": {"weight.bin": {"bytes": 12000, "sha256": "ef" * 32}, "a.json": {"bytes": 500, "sha256": "01" * 32}},
        "tools": {"torch": "2.13.0"},
        "parity": {
            "mean_kl": 0.034,
            "p99_kl": 0.2,
            "top1_agreement": 0.914,
            "perplexity_ratio": 1.02,
            "exact_max_kl": 1.3e-6,
            "package_positions": 20,
            "quality_positions": 20,
            "quality_by": "package",
            "largest_activation": 812.0,
            "activations": {"embedding": 3.0, "layers": [80.0, 400.0, 812.0], "head": 60.0},
            "relative_squared_error": errors,
            "census": {
                "ops": {"linear": 13, "add": 9, "read_state": 6, "concat": 1, "const": 99},
                "embedding": {"gather": 1},
                "layers": [{**LAYER, "concat": 1}, LAYER, LAYER],
                "head": {"linear": 1},
            },
        },
    }


def test_the_page_is_one_file_that_fetches_nothing(report: dict[str, Any]) -> None:
    text = render_html(report)
    page = Page(text)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object", "image", "use"}
    assert not [name for _, attributes in page.elements for name in attributes if name in ("src", "href", "srcset")]
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text.replace("http-equiv", "")
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_elements_are_nested_and_closed(report: dict[str, Any]) -> None:
    assert Page(render_html(report)).open == []


def test_the_page_is_for_light_and_dark_and_for_phones(report: dict[str, Any]) -> None:
    text = render_html(report)
    assert "prefers-color-scheme: dark" in text
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in Page(text).all("meta")


def test_every_picture_that_says_something_has_a_title_and_a_description(report: dict[str, Any]) -> None:
    pictures = re.findall(r"<svg.*?</svg>", render_html(report), flags=re.DOTALL)
    assert len(pictures) > 10
    for picture in pictures:
        if 'aria-hidden="true"' not in picture:
            assert 'role="img"' in picture
            assert re.search(r"<title>[^<]+</title><desc>[^<]+</desc>", picture)


def _poisoned(value: Any) -> Any:
    """`value` with the attack in place of every text."""
    if isinstance(value, dict):
        return {key: _poisoned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_poisoned(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


def test_hostile_texts_and_names_inject_nothing(report: dict[str, Any]) -> None:
    clean = {tag for tag, _ in Page(render_html(report)).elements}
    hostile = _poisoned(report)
    for mapping in (hostile["weights"], hostile["files"], hostile["tools"], hostile["recipe"]):
        mapping[HOSTILE] = copy.deepcopy(next(iter(mapping.values())))
    hostile["weights"][f"transformer.h.1.{HOSTILE}.weight"] = {"format": HOSTILE, "shape": [4, 4], "bytes": 8}
    hostile["parity"]["relative_squared_error"][f"transformer.h.1.{HOSTILE}.weight"] = 0.5
    hostile["parity"]["census"]["ops"][HOSTILE] = 7
    hostile["parity"]["census"]["layers"][1] = {HOSTILE: 7}
    page = Page(render_html(hostile))
    assert page.open == []
    assert {tag for tag, _ in page.elements} <= clean
    for _, attributes in page.elements:
        assert not {"onerror", "onload", "src"} & set(attributes)
    assert "<script>alert(1)</script>" in page.text  # shown as the text that it is


@pytest.mark.parametrize("wrong", ["text", None, [1], {"a": {}}, float("nan"), float("inf"), -3, True, 10**400, 1e308])
def test_a_value_of_a_wrong_type_costs_its_own_place_only(report: dict[str, Any], wrong: Any) -> None:
    def places(value: Any) -> list[tuple[Any, Any]]:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [place for key, item in items for place in [(value, key), *places(item)]]

    kept = [
        n for n in report["weights"] if not n.startswith("transformer.h.") or n.endswith("h.1.mlp.dense_h_to_4h.weight")
    ]
    report["weights"] = {name: report["weights"][name] for name in kept}
    errors = report["parity"]["relative_squared_error"]
    report["parity"]["relative_squared_error"] = {name: errors[name] for name in kept}
    for container, key in places(report):
        before = container[key]
        container[key] = wrong
        assert Page(render_html(report)).open == []
        container[key] = before
    assert "falcon-small" in render_html({"name": "falcon-small"})


def test_what_was_not_verified_is_said_to_be_so(report: dict[str, Any]) -> None:
    report["parity"] = {key: report["parity"][key] for key in ("census", "relative_squared_error")}
    text = Page(render_html(report)).text
    assert "without verification" in text
    assert "Not measured" in text
    assert "Room in float16" not in text
    assert "Error by layer and matrix" in text


def test_figures_of_verification_are_shown_and_explained(report: dict[str, Any]) -> None:
    text = Page(render_html(report)).text
    for figure in ("0.034 nats", "0.2 nats", "91.4%", "× 1.0200", "≤ 1.30 · 10⁻⁶ nats", "The recipe allows 0.25."):
        assert figure in text


def test_shares_of_the_size_add_up_to_the_bundle(report: dict[str, Any]) -> None:
    facts = Facts.read(report)
    assert sum(share.bytes for share in facts.shares) == facts.bytes == 12500
    sizes = {share.label: share.bytes for share in facts.shares}
    assert sizes["MLP: up"] == 544 + 896 + 544
    assert sizes["norms and biases"] == 64
    assert sizes["program, tokenizer and texts"] == 500


def test_what_it_was_calibrated_on_is_shown_and_what_that_means_for_the_errors(report: dict[str, Any]) -> None:
    assert "calibrated" not in Page(render_html(report)).text
    report["recipe"] |= {"calibration": "77" * 32, "calibration_tokens": 2048}
    text = Page(render_html(report)).text
    on = f"2,048 tokens of a text with SHA-256 {'77' * 32}"
    assert f"calibrated on{on}" in text
    assert f"The bundle was calibrated on {on}: its values were chosen with errors weighed by" in text


def test_the_size_asked_for_stands_beside_what_it_came_to(report: dict[str, Any]) -> None:
    report["recipe"]["size_bytes"] = 50_000
    text = Page(render_html(report)).text
    assert "The size asked for allows the tensors 50 kB; they take 10.6 kB." in text
    for weight in report["weights"].values():
        weight["format"] = "lut8" if len(weight["shape"]) == 2 else "fp16"
    assert "they take 10.6 kB, with eight bits everywhere, which is the most" in Page(render_html(report)).text


def test_inspect_says_what_was_calibrated_and_keeps_to_the_terminal(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = inspect(bundle_folder)
    assert "calibrated" not in render(report)
    report["recipe"] |= {"calibration": "77" * 32, "calibration_tokens": 2048, "size_bytes": 3_600_000}
    monkeypatch.setenv("COLUMNS", "50")
    text = render(report)
    assert f"calibrated on 2,048 tokens of a text with SHA-256 {'77' * 8}…" in text
    assert "tensors at most 3.6 MB by --size" in text
    ops = text.partition("  ops  ")[2].splitlines()
    assert len(ops) > 1
    assert all(len(line) <= 50 for line in ops)
    counts = report["parity"]["census"]["ops"]
    shown = " ".join(map(str.strip, ops)).split(", ")
    assert shown == [f"{count} {name}" for name, count in counts.items() if name != "const"]


def test_bits_count_codebooks_and_ignore_what_is_shared(report: dict[str, Any]) -> None:
    tied = {"format": "lut8", "shape": [64, 32], "bytes": 0, "stored": 2560}
    report["weights"]["lm_head.weight"] = tied
    bits = {m.label: m.bits for m in Facts.read(report).matrices if m.layer is None}
    assert bits == {"embedding": 10.0, "head": 10.0}


def test_the_heat_map_is_darker_where_the_error_is_larger(report: dict[str, Any]) -> None:
    section = render_html(report).partition("Error by layer and matrix")[2].partition("Worst")[0]
    shown = re.findall(r"layer (\d): error ([^,]+), (\w+)</title>", section)
    assert [(layer, form) for layer, _, form in shown] == 4 * [("0", "lut4"), ("1", "lut6"), ("2", "lut4")]
    strips = re.findall(r'class="strip">(.*?)</svg>', section, flags=re.DOTALL)
    for strip in strips[:4]:
        first, second, third = map(float, re.findall(r'fill-opacity="([\d.]+)"', strip))
        assert first == third > second


def test_errors_that_hardly_differ_look_alike() -> None:
    low, high = _ends([0.0092, 0.0094])
    scale = logarithmic(low, high)
    assert abs(scale(0.0092) - scale(0.0094)) < 0.03
    assert _ends([1e-5, 1e-2]) == pytest.approx((1e-5, 1e-2))


def test_the_worst_come_first_and_are_ten(report: dict[str, Any]) -> None:
    rows = render_html(report).partition("The worst 10")[2].partition("</table>")[0]
    named = re.findall(r'<th scope="row">(.*?)</th>', rows)
    assert len(named) == 10
    assert named[:4] == ["layer 0, MLP: down", "layer 2, MLP: down", "layer 0, MLP: up", "layer 2, MLP: up"]


def test_activations_by_section_are_drawn_under_the_limit(report: dict[str, Any]) -> None:
    section = render_html(report).partition("Room in float16")[2].partition("</figure>")[0]
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" class="ink"', section)]
    limit = 1 - float(re.findall(r'y1="([\d.]+)"[^>]*class="limit"', section)[0])
    assert len(heights) == 5
    assert heights.index(max(heights)) == 3
    assert max(heights) < limit < 1
    assert "812" in section
    assert "leaves a factor of 80.7" in section


def test_without_activations_by_section_one_bar_shows_the_largest(report: dict[str, Any]) -> None:
    del report["parity"]["activations"]
    assert 'class="thermometer"' in render_html(report)


def test_layers_with_the_same_ops_share_a_column() -> None:
    numbers = [(0, {"a": 2}), (1, {"a": 1}), (2, {"a": 1}), (3, {"a": 2}), (4, {"a": 1})]
    layers = [Section(label=f"layer {n}", layer=n, ops=ops) for n, ops in numbers]
    outer = [Section(label=label, layer=None, ops={"b": 1}) for label in ("before", "after")]
    groups = grouped([outer[0], *layers, outer[1]])
    assert [group.label for group in groups] == ["before", "layers 0, 3", "layers 1–2, 4", "after"]


def test_what_differs_between_layers_is_said(report: dict[str, Any]) -> None:
    text = Page(render_html(report)).text
    assert "29 ops beside constants. Layers 1–2 are alike. Layer 0 differs: +1 concat." in text


def test_the_same_report_gives_the_same_bytes(report: dict[str, Any]) -> None:
    assert render_html(report) == render_html(copy.deepcopy(report))


def test_markup_passes_only_what_was_made_as_markup() -> None:
    assert element("p", "<b>", trusted("<i></i>"), None, class_='"') == '<p class="&quot;">&lt;b&gt;<i></i></p>'
    with pytest.raises(ValueError, match="attribute"):
        element("p", **{"a b": 1})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (data_size(3_716_000_000), "3.72 GB"),
        (data_size(999_900_000), "1,000 MB"),
        (data_size(12), "12 bytes"),
        (compact(6.92e9), "6.92 billion"),
        (small(0.00928), "0.00928"),
        (small(1.33e-6), "1.33 · 10⁻⁶"),
        (small(0), "0"),
    ],
)
def test_numbers_are_written_for_people(written: str, expected: str) -> None:
    assert written == expected
