"""What the doctor concludes: divergence, recommendation, plan and texts; no processes here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.backends.coreml import COMPUTE_UNITS
from runtime.backends.program import CHUNK
from runtime.doctor.judgement import Agreement, Status, Verdict, compare
from runtime.doctor.machine import anonymous, machine, versions
from runtime.doctor.pattern import pattern
from runtime.doctor.plan import CANDIDATES, Feed, Job, followed, make_feeds, make_speed
from runtime.doctor.recommendation import recommend
from runtime.doctor.runner import Run
from runtime.doctor.symptoms import known_symptoms


def verdict(name: str, status: Status = Status.OK, rate: float = 10, peak: int = 1000) -> Verdict:
    found = next(c for c in CANDIDATES if c.name == name)
    run = Run(decode_tokens_per_second=rate, peak_bytes=peak)
    agreement = Agreement(positions=1, mean_kl=0, max_kl=0, same_token=1, finite=True)
    return Verdict(candidate=found, status=status, run=run, agreement=agreement)


def test_every_compute_unit_of_the_runtime_is_tried() -> None:
    assert {c.unit for c in CANDIDATES if c.backend == "coreml"} == set(COMPUTE_UNITS)


def test_divergence_is_that_of_torch() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = (rng.normal(scale=3, size=(5, 40)).astype(np.float32) for _ in range(2))
    p, q = (torch.log_softmax(torch.from_numpy(x).double(), -1) for x in (ours, theirs))
    expected = torch.nn.functional.kl_div(q, p, log_target=True, reduction="none").sum(-1)
    found = compare(ours, theirs)
    assert found.mean_kl == pytest.approx(float(expected.mean()))
    assert found.max_kl == pytest.approx(float(expected.max()))
    assert found.same_token == int((ours.argmax(-1) == theirs.argmax(-1)).sum())


def test_scores_that_differ_by_a_constant_are_the_same() -> None:
    scores = np.array([[1.0, 2, 3], [900, -900, 0]], np.float32)
    assert compare(scores, scores + 7).max_kl == pytest.approx(0, abs=1e-6)


def test_one_infinite_score_is_no_number_and_no_agreement() -> None:
    scores = np.zeros((3, 4), np.float32)
    other = scores.copy()
    other[1, 2] = np.inf
    found = compare(scores, other)
    assert not found.finite
    assert np.isnan(found.mean_kl)


def test_the_fastest_unit_that_is_right_is_recommended() -> None:
    found = recommend(
        [
            verdict("coreml on gpu", rate=20),
            verdict("coreml on cpu", rate=5),
            verdict("coreml on ne", Status.WRONG, rate=90),
            verdict("torch", rate=500),
        ],
        weights="int4",
        bundle_bytes=1000,
    )
    assert (found.backend, found.unit, found.weights) == ("coreml", "cpu_and_gpu", "int4")
    assert found.sentences == (
        "Take coreml on gpu (--compute-units cpu_and_gpu) at 20.0 tokens/s: "
        "the fastest of the units whose scores are right.",
        "torch was faster, at 500.0 tokens/s (--backend torch).",
        "Nothing speaks against the bundle's format: keep int4.",
    )


@pytest.mark.parametrize(
    ("unit", "weights", "peak", "expected", "words"),
    [
        ("gpu", "lut4", 1000, "int4", "faster than they look up codebooks"),
        ("gpu", "lut4", 9000, "int4", "It took 8.79 KiB for a bundle of 1 kB, so the GPU seems to expand"),
        ("gpu", "mixed", 1000, "int4", "--weights int4 in place of --size"),
        ("ne", "int4", 1000, "lut4", "prefers codebooks"),
        ("ne", "lut4", 1000, "lut4", "keep lut4"),
        ("ne", "mixed", 1000, "mixed", "keep mixed"),
        ("cpu", "int8", 1000, "int8", "keep int8"),
    ],
)
def test_the_format_that_suits_the_unit_is_recommended(
    unit: str, weights: str, peak: int, expected: str, words: str
) -> None:
    found = recommend([verdict(f"coreml on {unit}", peak=peak)], weights=weights, bundle_bytes=1000)
    assert found.weights == expected
    assert words in found.sentences[-1]


def test_a_neural_engine_as_fast_as_the_cpu_is_taken_for_the_cpu() -> None:
    near, far = (
        recommend([verdict("coreml on cpu"), verdict("coreml on ne", rate=rate)], weights="int8", bundle_bytes=1)
        for rate in (10.5, 30)
    )
    assert any("on the CPU there" in sentence for sentence in near.sentences)
    assert not any("on the CPU there" in sentence for sentence in far.sentences)


def test_without_core_ml_the_other_backend_is_recommended_and_no_format() -> None:
    found = recommend([verdict("coreml on gpu", Status.UNAVAILABLE), verdict("torch")], weights="lut4", bundle_bytes=1)
    assert (found.backend, found.unit, found.weights) == ("torch", None, None)


def test_nothing_right_recommends_nothing() -> None:
    assert recommend([verdict("torch", Status.WRONG)], weights="lut4", bundle_bytes=1).backend is None


@pytest.mark.parametrize("context", [1, 2, 3, 16, 2048])
@pytest.mark.parametrize("large", [False, True])
def test_feeds_fit_the_context_and_cover_pieces_and_single_tokens(context: int, large: bool) -> None:
    feeds = make_feeds([range(1, 70), [5]], context_length=context, large=large)
    assert len(feeds) == (1 if large else 5)
    widest = max(piece for feed in feeds for piece in feed.pieces)
    assert widest == min(CHUNK, len(feeds[-1].tokens)), "a chat's prompt is fed in pieces of this many"
    assert sum(feeds[-1].pieces) >= min(2 * CHUNK, context // 2)
    for feed in feeds:
        assert sum(feed.pieces) == len(feed.tokens) > 0
        assert len(feed.tokens) + feed.follow <= context
    speed = make_speed(context, 1)
    assert speed.prefill >= 1
    assert speed.prefill + speed.decode <= context


FEEDS = (Feed(tokens=(1,) * 6, pieces=(3, 1, 1, 1)), Feed(tokens=(1,) * 3, pieces=(1, 1, 1)))


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ([1, 0, 0, 0, 1, 0, 0], "not kept from one call to the next"),
        ([1, 0, 0, 1, 1, 0, 0], "not kept"),  # by chance the fourth is right
        ([0, 0, 0, 0, 1, 1, 1], "several are fed at once"),
        ([0, 0, 0, 0, 0, 0, 0], ""),
        ([0, 1, 1, 1, 1, 1, 0], ""),
        ([1, 1, 1, 1, 1, 1, 0], ""),
        ([1], ""),  # it died after that
        ([], ""),
    ],
)
def test_what_wrong_positions_have_in_common_is_told(right: list[int], words: str) -> None:
    told = pattern(FEEDS, [bool(one) for one in right])
    assert words in told
    assert bool(told) == bool(words)


def test_others_are_fed_what_the_interpreter_continued_with() -> None:
    feeds = (Feed(tokens=(1, 2, 3), pieces=(2, 1), follow=2), Feed(tokens=(1, 2), pieces=(1, 1)))
    given = followed(feeds, [[8, 9]])
    assert given == (Feed(tokens=(1, 2, 3, 8, 9), pieces=(2, 1, 1, 1)), feeds[1])
    assert [feed.rows for feed in given] == [feed.rows for feed in feeds]


def test_a_job_survives_its_way_to_the_child() -> None:
    job = Job(
        folder="f", opener="m:o", scores="s", feeds=(Feed(tokens=(1,), pieces=(1,), follow=3),), speed=make_speed(64, 1)
    )
    assert Job.from_json(job.to_json()) == job


def test_paths_and_names_are_taken_out_of_texts() -> None:
    home = Path.home()
    text = f"cannot read {home}/a/b.bin, /Users/annabel/x.mlmodelc or C:\\Users\\annabel\\y.txt"
    text += "; " + str(FileNotFoundError(2, "No such file", "D:\\models\\others\\z.bin"))
    text += "; ratio 3/4, see /bundles/mine/w"
    found = anonymous(text, {"/bundles/mine": "<bundle>"})
    assert "annabel" not in found
    assert "/a/" not in found
    assert "others" not in found
    for kept in ("b.bin", "…/x.mlmodelc", "y.txt", "'…/z.bin'", "ratio 3/4", "<bundle>/w"):
        assert kept in found


def test_of_a_mac_the_build_of_its_system_is_told_as_betas_share_a_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert machine()["build"] is None
    told = {"kern.osproductversion": "27.2", "kern.osversion": "26B5086k"}
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("runtime.backends.macos.sysctl", told.get)
    assert (machine()["release"], machine()["build"]) == ("27.2", "26B5086k")


def test_the_machine_is_described_without_its_name() -> None:
    described = machine()
    assert described["system"]
    assert described["cores"]
    assert versions()["numpy"] == np.__version__
    assert "node" not in described


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("E5RT: ANECCompile() FAILED", "Neural Engine's compiler"),
        ("Failed to build the model execution plan … with error code: -14", "could not plan"),
        ("'mps.dequantize' op operand #2 must be tensor", "int4"),
        ("No module named coremltools.libcoremlpython", "native part"),
        (
            'Espresso exception: "Invalid blob shape": Data-dependent shapes were disabled: var_39 - [?, 768]',
            "not plan",
        ),
        ("`functionName` property must be nil unless the model type is ML Program.", "could not plan"),
        ("It can be an invalid input data or broken/unsupported model (error code: -1).", "could not run it"),
        ("MPSGraphExecutable.mm:2110: failed assertion `Error: MLIR pass manager failed'", "gave up"),
        ("Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)", "no memory left"),
        ("Error: resources.bin missing at file:///x/com.apple.e5rt.e5bundlecache/24E263/a.bundle/b", "e5bundlecache"),
        ("must re-compile the E5 bundle", "e5bundlecache"),
        ("Slice update: update data type must match output data type", "macOS 26"),
    ],
)
def test_known_failures_of_core_ml_are_explained(text: str, words: str) -> None:
    assert any(words in explanation for explanation in known_symptoms(text))


def test_a_failed_plan_is_not_taken_for_a_failed_run() -> None:
    assert len(known_symptoms("Failed to build the model execution plan ... with error code: -14.")) == 1


def test_ordinary_output_explains_nothing() -> None:
    assert known_symptoms("Running on the CPU, 14 layers loaded; error code: -100") == []
