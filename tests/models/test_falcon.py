"""The decoder against transformers, for every kind of Falcon."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.cache import KeyValueCache
from models.checkpoint import Checkpoint
from models.config import FalconConfig
from models.falcon import Falcon, alibi_slopes, make_causal_mask
from tests.models.variants import VARIANTS, hub_model, save

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference"
TOLERANCE = 1e-4


@pytest.fixture(params=VARIANTS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[torch.nn.Module, Falcon]:
    hub = save(request.param, tmp_path)
    return hub, Checkpoint.open(tmp_path).load()


def random_ids(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, 320, (1, count), generator=torch.Generator().manual_seed(seed))


def test_a_full_pass_equals_transformers(pair: tuple[torch.nn.Module, Falcon]) -> None:
    hub, ours = pair
    ids = random_ids(33)
    torch.testing.assert_close(ours(ids), hub(ids).logits, atol=TOLERANCE, rtol=0)


def test_a_batch_equals_transformers(pair: tuple[torch.nn.Module, Falcon]) -> None:
    hub, ours = pair
    ids = torch.cat([random_ids(9, seed) for seed in (1, 2, 3)])
    torch.testing.assert_close(ours(ids), hub(ids).logits, atol=TOLERANCE, rtol=0)


def test_token_by_token_with_a_cache_equals_transformers(pair: tuple[torch.nn.Module, Falcon]) -> None:
    hub, ours = pair
    ids = random_ids(20)
    cache = KeyValueCache.zeros(ours.config, context_length=24)
    past = None
    for end in range(1, 21):
        out = hub(ids[:, end - 1 : end], past_key_values=past, use_cache=True)
        past = out.past_key_values
        mine = ours(ids[:, end - 1 : end], make_causal_mask(1, end), cache)
        torch.testing.assert_close(mine, out.logits, atol=TOLERANCE, rtol=0)


def test_pieces_with_a_cache_equal_the_whole(pair: tuple[torch.nn.Module, Falcon]) -> None:
    _, ours = pair
    ids = random_ids(17)
    cache = KeyValueCache.zeros(ours.config, context_length=17)
    pieces = [ours(ids[:, :6], make_causal_mask(6, 6), cache), ours(ids[:, 6:], make_causal_mask(11, 17), cache)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), ours(ids), atol=1e-5, rtol=0)


def test_queries_that_go_in_lots_see_what_they_see_together(
    pair: tuple[torch.nn.Module, Falcon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.falcon._TOGETHER", 4)
    _, ours = pair
    ids = torch.cat([random_ids(17, seed) for seed in (1, 2)])
    cache = KeyValueCache.zeros(ours.config, context_length=17, batch_size=2)
    pieces = [ours(ids[:, :8], make_causal_mask(8, 8), cache), ours(ids[:, 8:], make_causal_mask(9, 17), cache)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), ours(ids), atol=1e-5, rtol=0)


def test_last_only_scores_the_last_position(pair: tuple[torch.nn.Module, Falcon]) -> None:
    _, ours = pair
    ids = random_ids(8)
    torch.testing.assert_close(ours(ids, last_only=True), ours(ids)[:, -1:], atol=1e-5, rtol=0)


def test_gelu_is_the_exact_one(pair: tuple[torch.nn.Module, Falcon], monkeypatch: pytest.MonkeyPatch) -> None:
    hub, ours = pair
    ids = random_ids(12)
    exact = torch.nn.functional.gelu
    monkeypatch.setattr("models.falcon.F.gelu", lambda x: exact(x, approximate="tanh"))
    difference = (ours(ids) - hub(ids).logits).abs().max()
    assert difference > TOLERANCE, "the tolerance must tell erf from tanh"


def test_only_one_key_head_is_kept_for_7b() -> None:
    config = FalconConfig.from_dict(hub_model("7b").config.to_dict())
    assert config.num_kv_heads == 1
    assert KeyValueCache.zeros(config, context_length=8).key_cache.shape == (2, 1, 1, 8, 32)


def test_alibi_slopes_of_a_power_of_two_are_the_papers() -> None:
    # Press et al. 2022: for 8 heads 1/2, 1/4, ... 1/256.
    torch.testing.assert_close(alibi_slopes(8), 2.0 ** -torch.arange(1.0, 9.0))


def test_the_mask_hides_what_is_to_come() -> None:
    assert make_causal_mask(2, 4)[0, 0].tolist() == [[0, 0, 0, -torch.inf], [0, 0, 0, 0]]


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs ../shared/data/reference with stored logits")
@pytest.mark.parametrize("variant", ["falcon-7b-style", "falcon-40b-style", "falcon-11b-style", "falcon-rw-style"])
def test_stored_references_are_met(variant: str) -> None:
    folder = REFERENCE / variant
    model = Checkpoint.open(folder).load()
    stored = np.load(folder / "reference.npz")
    with torch.inference_mode():
        for i in range(4):
            prompt = torch.from_numpy(stored[f"prompt_{i}"]).long()[None]
            assert np.abs(model(prompt)[0].numpy() - stored[f"logits_{i}"]).max() < TOLERANCE
            length = prompt.shape[1]
            cache = KeyValueCache.zeros(model.config, context_length=length + 16)
            model(prompt, make_causal_mask(length, length), cache)
            for k, token in enumerate(stored[f"greedy_{i}"]):
                out = model(torch.tensor([[int(token)]]), make_causal_mask(1, length + k + 1), cache)
                assert np.abs(out[0, 0].numpy() - stored[f"decode_logits_{i}"][k]).max() < TOLERANCE


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs ../shared/data/reference with stored logits")
@pytest.mark.parametrize("variant", ["falcon-7b-style", "falcon-40b-style", "falcon-11b-style", "falcon-rw-style"])
def test_transformers_5_config_says_the_same(variant: str) -> None:
    raw = json.loads((REFERENCE / variant / "config.transformers5.json").read_text())
    assert FalconConfig.from_dict(raw) == FalconConfig.open(REFERENCE / variant)
