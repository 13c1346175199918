"""config.json in both spellings, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from models.config import FalconConfig
from models.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "shared" / "data" / "configs"
needs_configs = pytest.mark.skipif(not CONFIGS.is_dir(), reason="needs ../shared/data/configs")

SMALL: dict[str, Any] = {
    "model_type": "falcon",
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
EARLY: dict[str, Any] = {
    "model_type": "RefinedWeb",
    "vocab_size": 64,
    "hidden_size": 32,
    "n_layer": 1,
    "n_head": 4,
    "n_head_kv": 2,
}


@needs_configs
@pytest.mark.parametrize(
    "name", ["falcon-7b", "falcon-7b-instruct", "falcon-40b", "falcon-40b-instruct", "falcon-rw-1b"]
)
def test_both_spellings_describe_one_model(name: str) -> None:
    assert FalconConfig.open(CONFIGS / f"{name}.json") == FalconConfig.open(CONFIGS / f"{name}.refinedweb.json")


@needs_configs
def test_7b_has_one_key_head_whatever_its_file_says() -> None:
    raw = json.loads((CONFIGS / "falcon-7b-instruct.json").read_text())
    assert raw["num_kv_heads"] == 71
    config = FalconConfig.from_dict(raw)
    assert (config.num_kv_heads, config.heads_per_kv_head, config.head_dim) == (1, 71, 64)
    assert config.qkv_features == 4672


@needs_configs
@pytest.mark.parametrize(
    ("name", "kv_heads", "norms", "head_dim", "tied", "context"),
    [
        ("falcon-40b", 8, 2, 64, True, 2048),
        ("falcon-180b", 8, 2, 64, True, 2048),
        ("falcon-11b", 8, 1, 128, False, 8192),
        ("falcon-rw-1b", 32, 1, 64, True, 2048),
    ],
)
def test_the_family_is_told_apart(
    name: str, kv_heads: int, norms: int, head_dim: int, tied: bool, context: int
) -> None:
    config = FalconConfig.open(CONFIGS / f"{name}.json")
    assert (config.num_kv_heads, config.norms_per_block, config.head_dim) == (kv_heads, norms, head_dim)
    assert (config.tie_word_embeddings, config.context_length) == (tied, context)
    assert config.alibi == config.bias == (name == "falcon-rw-1b") == (not config.parallel_attn)


@needs_configs
def test_11b_keeps_its_rotary_base() -> None:
    assert FalconConfig.open(CONFIGS / "falcon-11b.json").rope_theta == 500042.0


def test_grouped_heads_in_an_early_file_mean_the_new_decoder() -> None:
    config = FalconConfig.from_dict(EARLY)
    assert (config.num_kv_heads, config.norms_per_block, config.parallel_attn) == (2, 2, True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "llama"}, "llama"),
        ({"hidden_size": None}, "hidden_size"),
        ({"hidden_size": "32"}, "hidden_size"),
        ({"num_attention_heads": 3}, "num_attention_heads 3"),
        ({"activation": "silu"}, "silu"),
        ({"rope_scaling": {"type": "yarn"}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "linear"}}, "linear"),
        ({"rope_parameters": "linear"}, "rope_parameters must be an object, not 'linear'"),
        ({"rope_theta": math.inf}, "rope_theta must be a positive number, not inf"),
        ({"layer_norm_epsilon": math.nan}, "layer_norm_epsilon must be a positive number, not nan"),
        ({"hidden_size": 10**6}, "hidden_size 1,000,000 is in no Falcon"),
        ({"hidden_size": 512, "max_position_embeddings": 1 << 20}, "1,048,576 tokens of context with 256 numbers in"),
        (
            {"alibi": True, "hidden_size": 512, "num_attention_heads": 256, "max_position_embeddings": 1 << 20},
            "256 heads",
        ),
        ({"vocab_size": 10**30}, "vocab_size 1,000,0"),
        ({"ffn_hidden_size": 10**12}, "ffn_hidden_size 1,000,0"),
        ({"apply_residual_connection_post_layernorm": True}, "apply_residual_connection_post_layernorm"),
        ({"layer_norm_epsilon": -1}, "layer_norm_epsilon"),
        ({"alibi": "yes"}, "alibi"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"max_position_embeddings": 0}, "max_position_embeddings"),
        ({"max_position_embeddings": 10**9}, "max_position_embeddings must be from 1 to 1,048,576"),
        ({"num_attention_heads": -5}, "num_attention_heads must be at least 1"),
        ({"new_decoder_architecture": True, "num_kv_heads": 3, "num_attention_heads": 4}, "num_kv_heads 3"),
        ({"new_decoder_architecture": True, "num_ln_in_parallel_attn": 3}, "num_ln_in_parallel_attn"),
        ({"eos_token_id": 64}, "eos_token_id 64 is outside the vocabulary, 0 to 63"),
        ({"bos_token_id": 64}, "bos_token_id 64 is outside the vocabulary, 0 to 63"),
        ({"eos_token_id": -1}, "eos_token_id -1 is outside the vocabulary"),
        ({"bos_token_id": -1}, "bos_token_id -1 is outside the vocabulary"),
        ({"eos_token_id": True}, "eos_token_id must be a whole number, not True"),
        ({"bos_token_id": "11"}, "bos_token_id must be a whole number, not '11'"),
        ({"bos_token_id": [11]}, r"bos_token_id must be a whole number, not \[11\]"),
        ({"eos_token_id": [11, 99]}, "eos_token_id 99 is outside the vocabulary"),
        ({"eos_token_id": [11, None]}, "eos_token_id must be a whole number, not None"),
        ({"eos_token_id": []}, "eos_token_id must be a token id or a list of them"),
    ],
)
def test_what_is_no_falcon_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        FalconConfig.from_dict(SMALL | change)


@pytest.mark.parametrize(("said", "ends"), [(5, (5,)), ([5], (5,)), ([5, 7], (5, 7)), (None, (11,))])
def test_one_token_or_several_end_a_text(said: object, ends: tuple[int, ...]) -> None:
    assert FalconConfig.from_dict(SMALL | {"eos_token_id": said}).eos_token_ids == ends


@pytest.mark.parametrize("text", ["{", "[]", "\x00", "[" * 100_000, "9" * 10_000])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json"):
        FalconConfig.open(tmp_path)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMALL) + " " * (1 << 20))
    with pytest.raises(ConfigError, match=r"config\.json is longer than any Falcon's"):
        FalconConfig.open(tmp_path)


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ConfigError, match=r"config\.json cannot be read \(Is a directory\)"):
        FalconConfig.open(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        FalconConfig.open(tmp_path)
