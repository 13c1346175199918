"""Perplexity and divergence against transformers on the same weights and formulas written out in float64."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import FalconForCausalLM

from runtime.backends.checkpoint import open_checkpoint
from runtime.backends.torch import open_torch
from runtime.bundle import Bundle
from runtime.errors import ModelOutputError
from runtime.measure.divergence import Comparison, compare_models, compare_rows
from runtime.measure.perplexity import measure_perplexity
from runtime.measure.scores import piece_length
from runtime.measure.windows import Window, make_windows
from runtime.session import never
from tests.conftest import Bundles, Checkpoints
from tests.runtime.conftest import NgramBackend
from tests.tools import VOCAB_SIZE, hub_twin

IDS = np.random.default_rng(5).integers(12, VOCAB_SIZE, 300).tolist()
CONTEXTS = [(40, None), (40, 13)]


def untold(tokens: int) -> None:
    """Nobody is told."""


def log_probabilities(model: FalconForCausalLM, window: Window) -> npt.NDArray[np.float64]:
    """ln p of every token after each of a window's, by transformers' whole-sequence pass, [count, V]."""
    with torch.inference_mode():
        logits = model(torch.tensor([IDS[window.begin : window.end]])).logits[0].double().numpy()
    logits = logits[window.scored - 1 - window.begin : -1]
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


@pytest.mark.parametrize(("context", "stride"), CONTEXTS)
def test_perplexity_is_transformers_own(bundles: Bundles, context: int, stride: int | None) -> None:
    bundle = bundles("7b", "lut4")
    windows = make_windows(len(IDS), context=context, stride=stride)
    read: list[int] = []
    found = measure_perplexity(
        open_torch(Bundle.open(bundle)), IDS, windows, token_bytes=bytes, cancelled=never, told=read.append
    )
    assert found is not None
    twin = hub_twin(bundle)
    losses = np.concatenate([-log_probabilities(twin, w)[np.arange(w.count), IDS[w.scored : w.end]] for w in windows])
    assert (found.tokens, found.windows, found.complete) == (len(losses), len(windows), True)
    assert sum(read) == sum(window.fed for window in windows)
    assert found.loss.value == pytest.approx(losses.mean(), rel=1e-3)
    assert found.loss.error == pytest.approx(losses.std(ddof=1) / math.sqrt(len(losses)), rel=1e-3)
    assert found.perplexity.value == pytest.approx(math.exp(losses.mean()), rel=5e-3)
    # `bytes(n)` has n bytes, so the text's length is known here
    scored_bytes = sum(sum(IDS[w.scored : w.end]) for w in windows)
    assert found.bits_per_byte.value == pytest.approx(losses.sum() / math.log(2) / scored_bytes, rel=1e-3)


@pytest.mark.parametrize(("context", "stride"), CONTEXTS)
def test_a_comparison_is_what_transformers_says_of_both(
    bundles: Bundles, checkpoints: Checkpoints, context: int, stride: int | None
) -> None:
    bundle, checkpoint = bundles("7b", "lut4"), checkpoints("7b")
    windows = make_windows(len(IDS), context=context, stride=stride)
    other, reference = open_torch(Bundle.open(bundle)), open_checkpoint(checkpoint)
    found = compare_models(other, reference, IDS, windows, cancelled=never, told=untold)
    assert found is not None
    original = FalconForCausalLM.from_pretrained(checkpoint, attn_implementation="sdpa").eval()
    twin = hub_twin(bundle)
    q, p = (np.concatenate([log_probabilities(model, w) for w in windows]) for model in (twin, original))
    at = np.arange(len(p)), np.concatenate([IDS[w.scored : w.end] for w in windows])
    kl = (np.exp(p) * (p - q)).sum(axis=1)
    assert found.tokens == len(kl)
    np.testing.assert_allclose(found.kl, kl, rtol=0.02, atol=2e-4)
    # Of random weights some likeliest tokens are nearly ties, which float16 keys decide either way.
    assert found.same_top.mean() == pytest.approx((p.argmax(1) == q.argmax(1)).mean(), abs=2 / len(kl))
    delta = np.exp(q[at]) - np.exp(p[at])
    np.testing.assert_allclose(found.delta_p, delta, rtol=0.02, atol=2e-4)
    _assert_report(found.to_json(), kl, delta, -q[at], -p[at])


def _assert_report(
    report: dict[str, Any],
    kl: npt.NDArray[np.float64],
    delta: npt.NDArray[np.float64],
    loss: npt.NDArray[np.float64],
    true_loss: npt.NDArray[np.float64],
) -> None:
    root = math.sqrt(len(kl))
    ratio = loss - true_loss
    json.dumps(report, allow_nan=False)
    assert report["perplexity"]["value"] == pytest.approx(math.exp(loss.mean()), rel=0.01, abs=2e-4)
    assert report["reference_perplexity"]["value"] == pytest.approx(math.exp(true_loss.mean()), rel=0.01, abs=2e-4)
    assert report["log_ratio"]["value"] == pytest.approx(ratio.mean(), rel=0.01, abs=2e-4)
    assert report["log_ratio"]["error"] == pytest.approx(ratio.std(ddof=1) / root, rel=0.01, abs=2e-4)
    assert report["ratio"]["value"] == pytest.approx(math.exp(ratio.mean()), rel=0.01, abs=2e-4)
    assert report["correlation"] == pytest.approx(np.corrcoef(loss, true_loss)[0, 1], rel=0.01, abs=2e-4)
    for name, share in (("median", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("p99.9", 99.9), ("max", 100)):
        assert report["kl"][name] == pytest.approx(np.percentile(kl, share), rel=0.01, abs=2e-4)
    assert report["kl"]["value"] == pytest.approx(kl.mean(), rel=0.01, abs=2e-4)
    assert report["kl"]["error"] == pytest.approx(kl.std(ddof=1) / root, rel=0.01, abs=2e-4)
    for name, share in (("min", 0), ("p1", 1), ("median", 50), ("p99.9", 99.9), ("max", 100)):
        assert report["delta_p"][name] == pytest.approx(np.percentile(delta, share), rel=0.01, abs=2e-4)
    assert report["delta_p"]["value"] == pytest.approx(delta.mean(), rel=0.01, abs=2e-4)
    assert report["delta_p_rms"]["value"] == pytest.approx(math.sqrt((delta**2).mean()), rel=0.01, abs=2e-4)


@pytest.mark.parametrize("variant", ["7b", "11b", "rw", "40b"])
def test_a_checkpoint_scores_as_in_transformers(checkpoints: Checkpoints, variant: str) -> None:
    backend = open_checkpoint(checkpoints(variant))
    model = FalconForCausalLM.from_pretrained(checkpoints(variant), attn_implementation="sdpa").eval()
    with torch.inference_mode():
        wanted = model(torch.tensor([IDS[:40]])).logits[0].numpy()
    found = backend.feed_all(IDS[:40], backend.new_state())
    np.testing.assert_allclose(found, wanted, atol=0.02 * float(wanted.std()))  # keys and values are kept in 16 bits


def test_divergence_of_rows_is_its_definition() -> None:
    rng = np.random.default_rng(1)
    other, reference = (rng.normal(0, 4, 1000).astype(np.float32) for _ in range(2))
    q, p = (x.astype(np.float64) - np.logaddexp.reduce(x.astype(np.float64)) for x in (other, reference))
    loss, true_loss, kl, same = compare_rows(other, reference, 7)
    assert (loss, true_loss) == pytest.approx((-q[7], -p[7]), rel=1e-12)
    assert kl == pytest.approx((np.exp(p) * (p - q)).sum(), rel=1e-12)
    assert same == (q.argmax() == p.argmax())
    assert compare_rows(reference + np.float32(8), reference, 7)[2] < 1e-12
    for _ in range(4000):  # no rounding makes equals differ
        equal = rng.normal(0, 4, 64).astype(np.float32)
        loss, true_loss, kl, same = compare_rows(equal, equal, 1)
        assert (loss - true_loss, kl, same) == (0.0, 0.0, True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_one_sentence(bad: float) -> None:
    row = np.zeros(9, np.float32)
    broken = row.copy()
    broken[3] = bad
    with pytest.raises(ModelOutputError, match="NaN or infinite"):
        compare_rows(row, broken, 0)
    with pytest.raises(ModelOutputError, match="NaN or infinite"):
        compare_rows(broken, row, 0)


def test_a_model_is_equal_to_itself() -> None:
    found = _compared(windows=2)
    assert found is not None
    assert found.complete
    report: Any = found.to_json()
    assert report["kl"]["max"] == 0
    assert report["same_top"] == {"value": 1.0, "error": 0.0}
    assert report["log_ratio"] == {"value": 0.0, "error": 0.0}
    assert report["correlation"] == pytest.approx(1.0)


@pytest.mark.parametrize("looks", [0, 1, 3, 5, 9])
def test_cancelling_keeps_what_was_scored(looks: int) -> None:
    """A window of 64 is two pieces of 16 of context, then two that are scored, the first token with the context."""
    whole, found = _compared(windows=3), _compared(windows=3, looks=looks)
    assert whole is not None
    if found is None:
        assert looks < 2
        return
    assert not found.complete
    assert 0 < found.tokens < whole.tokens
    np.testing.assert_array_equal(found.loss, whole.loss[: found.tokens])
    assert found.windows == 1 + (looks > 6)


def test_cancelling_at_the_very_end_is_the_whole() -> None:
    whole = _compared(windows=1, looks=3)
    assert whole is not None
    assert whole.complete


def _compared(*, windows: int, looks: int | None = None) -> Comparison | None:
    """A small model against itself; after `looks` looks it is cancelled."""
    ids = [3, 1, 4, 1, 5, 9, 2, 6] * 8 * windows
    answers = iter([False] * looks + [True] * 1000) if looks is not None else None
    models = [NgramBackend([ids[:50]], vocab_size=20, context_length=64) for _ in range(2)]
    return compare_models(
        models[0],
        models[1],
        ids,
        make_windows(len(ids), context=64),
        cancelled=(lambda: False) if answers is None else (lambda: next(answers)),
        told=untold,
    )


def test_scores_in_memory_stay_bounded() -> None:
    falcon = NgramBackend(vocab_size=65_024, chunk_length=512)
    assert piece_length(falcon) * 65_024 * 4 <= 1 << 24
    assert piece_length(NgramBackend(vocab_size=1 << 25), falcon) == 1
