"""The contract that all backends share, and their agreement with transformers on the weights in the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from runtime.backends import coreml
from runtime.backends.base import Backend, KeyValues
from runtime.backends.cards import interpreted
from runtime.backends.choice import open_backend, unavailable_reason
from runtime.bundle import Bundle
from runtime.chooser import Chooser
from runtime.errors import ContextFullError, TokenizerError
from runtime.sampling import SamplingConfig
from tests.conftest import Bundles
from tests.coreml import StandIn
from tests.tools import VOCAB_SIZE, copy_bundle, divergence, hub_twin

CONTEXT = 64
PAIRS = [("7b", form) for form in ("lut4", "lut6", "lut8", "int4", "int8", "fp16")]
PAIRS += [(variant, "lut4") for variant in ("40b", "11b", "rw", "7b-biased")]
# Greatest difference of scores in one backend: sums of another length differ in their last bits, and a key that differs
# so may round to the next of the state's 16-bit numbers (seen: 3e-5).
EXACT = 2e-4
KL = 1e-4  # nats, between backends: states of one are rounded to 16 bits
NO_COREML = coreml.unavailable_reason()
NO_TRITON = unavailable_reason("cuda")  # on a card where there is one, else in Triton's interpreter

if interpreted():
    from tests.interpreter import quicken

    quicken()

AnyBackend = Backend[Any]


STAND_IN = "coreml-stand-in"  # all of backend coreml but Core ML itself
NAMES = [
    "reference",
    "torch",
    pytest.param("cuda", marks=pytest.mark.skipif(NO_TRITON is not None, reason=str(NO_TRITON))),
    pytest.param(
        "coreml", marks=[pytest.mark.coreml, pytest.mark.skipif(NO_COREML is not None, reason=str(NO_COREML))]
    ),
]


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=[*NAMES, STAND_IN])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["7b", "40b", "rw"])
def backend(
    place: str, bundles: Bundles, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AnyBackend:
    with pytest.MonkeyPatch.context() as patch:
        if place in (STAND_IN, "coreml"):  # which compiles into the bundle's folder
            own = copy_bundle(bundles(request.param, "lut4"), tmp_path_factory.mktemp("coreml") / "bundle")
            if place == STAND_IN:
                StandIn().install(patch)
            return open_backend(Bundle.open(own), "coreml")
        if place == "cuda" and interpreted():  # kernels of products have tests of their own, and take a second a step
            if request.param == "rw":
                pytest.skip("no NVIDIA card: Triton's interpreter takes too long for RW's many key heads")
            patch.setattr("models.cuda.step.with_cuda_kernels", lambda weight, _kernels: weight)
        return open_backend(Bundle.open(bundles(request.param, "lut4")), place)


def random_ids(count: int, seed: int = 1) -> list[int]:
    ids: list[int] = np.random.default_rng(seed).integers(0, VOCAB_SIZE, count).tolist()
    return ids


def fed(backend: AnyBackend, *pieces: Sequence[int]) -> npt.NDArray[np.float32]:
    """Scores after a fresh state has read `pieces`, a call each."""
    state = backend.new_state()
    for piece in pieces:
        logits = backend.feed(piece, state)
    assert state.length == sum(map(len, pieces))
    return logits


def scores_after(backend: AnyBackend, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
    """Scores after `tokens`, the last of them fed alone as a decoder does."""
    return fed(backend, tokens[:-1], tokens[-1:])


def assert_same(got: npt.NDArray[np.float32], wanted: npt.NDArray[np.float32], backend: AnyBackend) -> None:
    if backend.name == "coreml":  # half precision: kernels differ with the number of queries
        assert divergence(wanted, got) < 1e-3
    elif backend.name == "cuda":  # several rows are rounded to 16 bits for the tensor cores, a single one is not
        assert divergence(wanted, got) < 1e-5
    else:
        np.testing.assert_allclose(got, wanted, rtol=0, atol=EXACT if backend.name == "torch" else 5e-3)


class TestContract:
    def test_it_says_what_it_is(self, backend: AnyBackend, place: str) -> None:
        name = "coreml" if place == STAND_IN else place
        assert (backend.name, backend.vocab_size, backend.context_length) == (name, VOCAB_SIZE, CONTEXT)
        assert backend.chunk_length >= 1

    def test_scores_are_float32_and_the_callers_own(self, backend: AnyBackend) -> None:
        state = backend.new_state()
        logits = backend.feed([1, 2], state)
        assert logits.shape == (VOCAB_SIZE,)
        assert logits.dtype == np.float32
        kept = logits.copy()
        backend.feed([3], state)
        np.testing.assert_array_equal(logits, kept)
        logits[:] = 0

    @pytest.mark.parametrize("sizes", [(1,) * 20, (7, 13), (19, 1), (1, 19), (5, 1, 1, 8, 5)])
    def test_one_piece_equals_many(self, backend: AnyBackend, sizes: tuple[int, ...]) -> None:
        ids = random_ids(20)
        ends = np.cumsum(sizes)
        pieces = [ids[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        assert_same(fed(backend, *pieces), fed(backend, ids), backend)

    @pytest.mark.parametrize("cut", [0, 1, 9, 20])
    def test_truncating_then_feeding_equals_never_having_fed(self, backend: AnyBackend, cut: int) -> None:
        ids, other = random_ids(20), random_ids(6, seed=2)
        state = backend.new_state()
        backend.feed(ids, state)
        state.truncate(cut)
        assert state.length == cut
        got = backend.feed(other, state)
        assert_same(got, fed(backend, ids[:cut] + other), backend)

    def test_a_full_context_is_used_to_the_last_token(self, backend: AnyBackend) -> None:
        ids = random_ids(CONTEXT)
        assert_same(fed(backend, ids[:50], ids[50:]), fed(backend, ids), backend)

    def test_a_full_context_is_refused_and_changes_nothing(self, backend: AnyBackend) -> None:
        ids = random_ids(CONTEXT)
        state = backend.new_state()
        backend.feed(ids[:60], state)
        with pytest.raises(ContextFullError, match="5 more tokens do not fit after 60 in a context of 64"):
            backend.feed(random_ids(5), state)
        assert state.length == 60
        assert_same(backend.feed(ids[60:], state), fed(backend, ids), backend)
        with pytest.raises(ContextFullError):
            backend.feed([1], state)
        assert state.length == CONTEXT

    @pytest.mark.parametrize(
        ("tokens", "error"),
        [
            ([], ValueError),
            ([1, VOCAB_SIZE], TokenizerError),
            ([-1], TokenizerError),
            ([0.5], ValueError),
            ([[1, 2]], ValueError),
        ],
    )
    def test_what_is_no_token_is_refused_and_changes_nothing(
        self, backend: AnyBackend, tokens: list[Any], error: type[Exception]
    ) -> None:
        ids = random_ids(9)
        state = backend.new_state()
        backend.feed(ids[:4], state)
        with pytest.raises(error):
            backend.feed(tokens, state)
        assert state.length == 4
        assert_same(backend.feed(ids[4:], state), fed(backend, ids), backend)

    @pytest.mark.parametrize("length", [-1, 4])
    def test_a_state_cannot_be_cut_to_what_it_does_not_hold(self, backend: AnyBackend, length: int) -> None:
        state = backend.new_state()
        backend.feed([1, 2, 3], state)
        with pytest.raises(ValueError, match="cannot be cut"):
            state.truncate(length)
        assert state.length == 3

    @pytest.mark.parametrize(
        "config",
        [
            SamplingConfig(temperature=0),
            SamplingConfig(seed=1),
            SamplingConfig(seed=2, order="llama.cpp", top_k=40, min_p=0.05, typical_p=0.9, repetition_penalty=1.2),
        ],
        ids=["greedy", "default", "llama.cpp"],
    )
    def test_tokens_chosen_where_the_scores_are_are_those_of_the_host(
        self, backend: AnyBackend, config: SamplingConfig
    ) -> None:
        history = random_ids(12)
        chooser, host = (Chooser(config, history, choices=VOCAB_SIZE) for _ in range(2))
        state = backend.new_state()
        backend.feed(history[:-1], state)
        fed = history[-1:]
        for _ in range(6):
            wanted = host.one(scores_after(backend, history))
            assert backend.choose(fed, state, chooser) == [wanted]
            history.append(wanted)
            fed = [wanted]
        assert state.length == len(history) - 1
        state.truncate(len(history) - 4)  # again, as guesses
        chooser, host = (Chooser(SamplingConfig(temperature=0), history[:-3], choices=VOCAB_SIZE) for _ in range(2))
        guesses = history[-4:]
        stood = host.on_host(backend.feed_all(guesses, state), guesses)
        state.truncate(len(history) - 4)
        assert backend.choose(guesses, state, chooser) == stood

    def test_states_are_independent(self, backend: AnyBackend) -> None:
        left, right = random_ids(12), random_ids(12, seed=2)
        states = backend.new_state(), backend.new_state()
        for first in range(0, 12, 3):
            got = [backend.feed(ids[first : first + 3], s) for ids, s in zip((left, right), states, strict=True)]
        assert_same(got[0], fed(backend, left), backend)
        assert_same(got[1], fed(backend, right), backend)

    def test_scores_after_every_token_are_those_of_feeding_one_by_one(self, backend: AnyBackend) -> None:
        ids, more = random_ids(9), random_ids(4, seed=2)
        state = backend.new_state()
        backend.feed(ids, state)
        rows = backend.feed_all(more, state)
        assert rows.shape == (4, VOCAB_SIZE)
        assert state.length == 13
        for count, row in enumerate(rows, start=1):
            assert_same(row, fed(backend, ids, more[:count]), backend)

    def test_a_batch_scores_like_one_by_one(self, backend: AnyBackend) -> None:
        starts = [random_ids(count, seed=count) for count in (1, 9, 30)]
        pieces = [random_ids(count, seed=count) for count in (1, 1, 5)]
        states = [backend.new_state() for _ in starts]
        for ids, state in zip(starts, states, strict=True):
            backend.feed(ids, state)
        for step in (pieces, [[3], [4], [5]]):
            got = backend.feed_batch(list(zip(step, states, strict=True)))
            starts = [ids + piece for ids, piece in zip(starts, step, strict=True)]
            for logits, ids, state in zip(got, starts, states, strict=True):
                assert state.length == len(ids)
                assert_same(logits, fed(backend, ids), backend)

    def test_a_batch_with_one_refused_feed_feeds_none(self, backend: AnyBackend) -> None:
        states = [backend.new_state(), backend.new_state()]
        with pytest.raises(TokenizerError):
            backend.feed_batch([([1], states[0]), ([VOCAB_SIZE], states[1])])
        with pytest.raises(ValueError, match="once"):
            backend.feed_batch([([1], states[0]), ([2], states[0])])
        assert [state.length for state in states] == [0, 0]

    def test_a_batch_chooses_as_one_by_one(self, backend: AnyBackend) -> None:
        starts = [random_ids(count, seed=count) for count in (3, 9, 5, 4)]
        configs = [
            SamplingConfig(temperature=0),
            SamplingConfig(seed=3, top_p=0.9),
            SamplingConfig(seed=4, order="llama.cpp", min_p=0.05, presence_penalty=0.5),
            SamplingConfig(temperature=0),
        ]
        wanted = [fed(backend, ids) for ids in starts]
        asks = []
        for ids, config, logits in zip(starts, configs, wanted, strict=True):
            state = backend.new_state()
            backend.feed(ids[:-1], state)
            asks.append((ids[-1:], state, Chooser(config, ids, choices=VOCAB_SIZE)))
            assert len(logits) == VOCAB_SIZE
        guess = int(wanted[3].argmax())
        asks[3] = ([*starts[3][-1:], guess], *asks[3][1:])
        chosen = backend.choose_batch(asks)
        for found, ids, config, logits in zip(chosen, starts, configs, wanted, strict=True):
            assert isinstance(found, list)
            assert found[0] == Chooser(config, ids, choices=VOCAB_SIZE).one(logits)
        after = fed(backend, starts[3], [guess])
        assert chosen[3] == [guess, int(after.argmax())]
        assert [state.length for _, state, _ in asks] == [3, 9, 5, 5]

    def test_a_batch_with_one_refused_choice_feeds_none(self, backend: AnyBackend) -> None:
        states = [backend.new_state(), backend.new_state()]
        chooser = Chooser(SamplingConfig(temperature=0), [1], choices=VOCAB_SIZE)
        with pytest.raises(TokenizerError):
            backend.choose_batch([([1], states[0], chooser), ([VOCAB_SIZE], states[1], chooser)])
        with pytest.raises(ValueError, match="once"):
            backend.choose_batch([([1], states[0], chooser), ([2], states[0], chooser)])
        assert [state.length for state in states] == [0, 0]

    def test_a_restored_state_goes_on_like_the_saved_one(self, backend: AnyBackend) -> None:
        ids, more = random_ids(20), random_ids(3, seed=2)
        state = backend.new_state()
        backend.feed(ids, state)
        saved = backend.save_state(state)
        assert (saved.length, saved.keys.dtype.name, saved.keys.shape) == (20, "float16", saved.values.shape)
        wanted = backend.feed(more, state)
        restored = backend.restore_state(saved)
        assert restored.length == 20
        assert_same(backend.feed(more, restored), wanted, backend)

    def test_a_saved_state_of_another_shape_is_refused(self, backend: AnyBackend) -> None:
        state = backend.new_state()
        backend.feed([1, 2], state)
        saved = backend.save_state(state)
        wrongs: list[Any] = [saved.keys[:-1], saved.keys[..., :-1], saved.keys.astype(np.float32)]
        for wrong in wrongs:
            with pytest.raises(ValueError, match="not of this model"):
                backend.restore_state(KeyValues(wrong, saved.values))

    def test_a_closed_backend_may_be_closed_again_and_refuses_to_feed(self, name: str, bundles: Bundles) -> None:
        backend = open_backend(Bundle.open(bundles("7b", "lut4")), name)
        state = backend.new_state()
        backend.close()
        backend.close()
        with pytest.raises(ValueError, match="closed"):
            backend.feed([1], state)


@pytest.mark.parametrize(("variant", "weights"), PAIRS)
def test_it_agrees_with_transformers_on_the_weights_in_the_bundle(
    name: str, variant: str, weights: str, bundles: Bundles
) -> None:
    if name == "cuda" and interpreted() and (variant, weights) != ("7b", "lut4"):
        pytest.skip("no NVIDIA card: in Triton's interpreter, agreement with the reference has to do for this form")
    folder = bundles(variant, weights)
    backend = open_backend(Bundle.open(folder), name)
    ids = random_ids(40)
    with torch.inference_mode():
        wanted = hub_twin(folder)(torch.tensor([ids])).logits[0].numpy()
    state = backend.new_state()
    first = backend.feed(ids[:24], state)
    single = 25 if name == "cuda" and interpreted() else 40  # the interpreter takes a second a step
    rows = [first, *(backend.feed([token], state) for token in ids[24:single])]
    if single < 40:
        rows += [*backend.feed_all(ids[25:28], state), *backend.feed_all(ids[28:], state)]
    limit = 1e-2 if name == "coreml" else KL
    assert max(divergence(w, got) for w, got in zip(wanted[23:], rows, strict=True)) < limit


@pytest.mark.parametrize(("variant", "weights"), PAIRS)
def test_the_backends_agree_with_each_other(variant: str, weights: str, bundles: Bundles) -> None:
    bundle = Bundle.open(bundles(variant, weights))
    ids = random_ids(CONTEXT)
    reference = fed(open_backend(bundle, "reference"), ids)
    for name in ("torch", *(("cuda",) if NO_TRITON is None else ())):
        assert divergence(reference, fed(open_backend(bundle, name), ids)) < KL, name


@pytest.mark.parametrize("variant", ["7b", "40b"])
@pytest.mark.parametrize("kernels", [True, False])
def test_large_models_stay_as_stored_with_the_same_scores(
    variant: str, kernels: bool, bundles: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = random_ids(9)
    feedings = [ids], [[token] for token in ids]
    for weights in ("lut4", "lut6", "lut8", "int4", "int8", "fp16"):
        bundle = Bundle.open(bundles(variant, weights))
        expanded = open_backend(bundle, "torch")
        with monkeypatch.context() as patch:
            patch.setattr("runtime.backends.torch._EXPAND_LIMIT", 0)
            if not kernels:
                patch.setattr("models.kernels.matrix.instructions", lambda: None)
            stored = open_backend(bundle, "torch")
        for pieces in feedings:
            wanted, got = fed(expanded, *pieces), fed(stored, *pieces)
            if kernels:  # activations are whole numbers of 15 bits
                assert divergence(wanted, got) < 1e-6
            else:
                np.testing.assert_allclose(got, wanted, rtol=0, atol=EXACT)


@pytest.mark.parametrize("variant", ["7b", "40b", "11b", "rw", "7b-biased"])
def test_a_batch_of_single_tokens_scores_like_one_by_one(variant: str, bundles: Bundles) -> None:
    """After prompts of different lengths, one of them at the context's end."""
    backend = open_backend(Bundle.open(bundles(variant, "lut4")), "torch")
    prompts = [random_ids(count, seed=count) for count in (1, 7, CONTEXT - 1)]
    states = [backend.new_state() for _ in prompts]
    for prompt, state in zip(prompts, states, strict=True):
        backend.feed(prompt, state)
    got = backend.feed_batch([([5], states[0]), ([6], states[1]), ([7], states[2])])
    assert [state.length for state in states] == [2, 8, CONTEXT]
    for prompt, token, scores in zip(prompts, (5, 6, 7), got, strict=True):
        np.testing.assert_allclose(scores, fed(backend, prompt, [token]), rtol=0, atol=EXACT)
    np.testing.assert_allclose(backend.feed([9], states[0]), fed(backend, prompts[0], [5], [9]), rtol=0, atol=EXACT)


@pytest.mark.parametrize("variant", ["7b", "40b", "rw"])
def test_a_state_that_one_backend_saved_goes_on_in_another(variant: str, bundles: Bundles) -> None:
    bundle = Bundle.open(bundles(variant, "lut4"))
    left, right = open_backend(bundle, "torch"), open_backend(bundle, "reference")
    for first, second in ((left, right), (right, left)):
        state = first.new_state()
        first.feed(random_ids(20), state)
        restored = second.restore_state(first.save_state(state))
        assert divergence(first.feed([1, 2], state), second.feed([1, 2], restored)) < KL
