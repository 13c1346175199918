"""FalconConfig: what a config.json says about a Falcon, checked, in the terms that the decoder uses.

Both spellings are read: RefinedWeb's of 2023 (`n_layer`, `n_head`, `n_head_kv`) and falcon's (`num_hidden_layers`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ConfigError

_DEFAULT_CONTEXT = 2048  # 7B, 40B, 180B and RW were trained on 2,048 tokens; their early files do not say so
_MOST_LAYERS = 1000  # the largest Falcon has 80
_MOST_CONTEXT = 1 << 20  # tokens; the longest Falcon's is 8,192
_MOST_SIZE = 1 << 18  # rows or columns of a matrix; the largest Falcon has 65,024 tokens and 59,392 wide features
_MOST_TABLE = 1 << 27  # numbers in a table of positions; the largest Falcon's has 8,192 x 64
_MOST_BYTES = 1 << 20  # of config.json, which has one or two thousand
_KEYS = {"num_layers": "num_hidden_layers", "num_heads": "num_attention_heads"}  # where config.json has another name
_EARLY_NAMES = {"n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "n_embed": "hidden_size"}
_MODEL_TYPES = ("falcon", "RefinedWeb", "RefinedWebModel")
_ACTIVATIONS = ("gelu",)  # exact, by the error function; every Falcon has it


@dataclass(frozen=True, kw_only=True)
class FalconConfig:
    """The shape of one Falcon. Sizes count elements, `context_length` counts tokens.

    `num_kv_heads` is the number of key heads that exist: 1 in Falcon-7B, whatever its config.json says.
    `norms_per_block` is how many layer norms feed a parallel block: 1 shared, or 2 (40B, 180B).
    A sequential block (`parallel_attn` false: RW) always has two, one before each half.
    `eos_token_ids` are one or more, each of which ends a text.
    """

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    ffn_hidden_size: int
    parallel_attn: bool = True
    norms_per_block: int = 1
    alibi: bool = False
    bias: bool = False
    rope_theta: float = 10000.0
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True
    context_length: int = _DEFAULT_CONTEXT
    bos_token_id: int = 11
    eos_token_ids: tuple[int, ...] = (11,)

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "num_layers", "num_heads", "num_kv_heads", "ffn_hidden_size"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"config.json: {_KEYS.get(name, name)} must be at least 1, not {getattr(self, name)}."
                )
        for name in ("vocab_size", "hidden_size", "ffn_hidden_size"):
            if getattr(self, name) > _MOST_SIZE:
                raise ConfigError(
                    f"config.json: {name} {getattr(self, name):,} is in no Falcon (here they may have {_MOST_SIZE:,}); "
                    "fetch the file again."
                )
        if self.num_layers > _MOST_LAYERS:
            raise ConfigError(
                f"config.json: num_hidden_layers {self.num_layers} is in no Falcon; fetch the file again."
            )
        if not 1 <= self.context_length <= _MOST_CONTEXT:
            raise ConfigError(
                f"config.json: max_position_embeddings must be from 1 to {_MOST_CONTEXT:,}, not "
                f"{self.context_length:,}; fetch the file again."
            )
        if self.hidden_size % self.num_heads:
            raise ConfigError(
                f"config.json: hidden_size {self.hidden_size} is not a multiple "
                f"of num_attention_heads {self.num_heads}."
            )
        if self.num_heads % self.num_kv_heads:
            raise ConfigError(
                f"config.json: num_attention_heads {self.num_heads} is not a multiple "
                f"of num_kv_heads {self.num_kv_heads}."
            )
        wide = self.num_heads if self.alibi else self.head_dim
        if self.context_length * wide > _MOST_TABLE:
            raise ConfigError(
                f"config.json: {self.context_length:,} tokens of context with {wide:,} "
                f"{'heads' if self.alibi else 'numbers in each head'} are in no Falcon; fetch the file again."
            )
        if not self.alibi and self.head_dim % 2:
            raise ConfigError(f"config.json: rotary embedding needs an even head size, not {self.head_dim}.")
        if self.norms_per_block not in (1, 2):
            raise ConfigError(f"config.json: num_ln_in_parallel_attn must be 1 or 2, not {self.norms_per_block}.")
        for name, ids in (("bos_token_id", (self.bos_token_id,)), ("eos_token_id", self.eos_token_ids)):
            wrong = [token for token in ids if not 0 <= token < self.vocab_size]
            if wrong:
                raise ConfigError(
                    f"config.json: {name} {wrong[0]} is outside the vocabulary, 0 to {self.vocab_size - 1}; "
                    "fetch the file again."
                )

    @property
    def head_dim(self) -> int:
        """Elements in one head."""
        return self.hidden_size // self.num_heads

    @property
    def heads_per_kv_head(self) -> int:
        """Query heads that share one key head: 71 in Falcon-7B."""
        return self.num_heads // self.num_kv_heads

    @property
    def cache_bytes(self) -> int:
        """Keys and values of one full context, in 16 bits."""
        return 4 * self.num_layers * self.num_kv_heads * self.context_length * self.head_dim

    @property
    def qkv_features(self) -> int:
        """Rows of the fused query-key-value matrix."""
        return (self.num_heads + 2 * self.num_kv_heads) * self.head_dim

    @classmethod
    def open(cls, path: str | Path) -> FalconConfig:
        """Read a config.json, or the one in a folder. Raises ConfigError where it is missing or wrong."""
        file = Path(path)
        file = file / "config.json" if file.is_dir() else file
        try:
            with file.open("rb") as stream:
                data = stream.read(_MOST_BYTES + 1)
            if len(data) > _MOST_BYTES:
                raise ConfigError(f"{file} is longer than any Falcon's; fetch the file again.")
            raw = json.loads(data.decode("utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{file} does not exist; name a folder with a Falcon checkpoint in it.") from None
        except (ValueError, RecursionError) as error:  # RecursionError: brackets in brackets, a thousand deep
            raise ConfigError(f"{file} is not valid JSON ({error}); fetch the file again.") from None
        except OSError as error:
            raise ConfigError(f"{file} cannot be read ({error.strerror}); check it, or fetch the file again.") from None
        if not isinstance(raw, dict):
            raise ConfigError(f"{file} holds no JSON object; fetch the file again.")
        return cls.from_dict(raw)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> FalconConfig:
        """Translate the object of a config.json. Raises ConfigError, which names the key, for what is not a Falcon."""
        model_type = raw.get("model_type")
        if model_type not in _MODEL_TYPES:
            raise ConfigError(
                f"config.json describes a model of type {model_type!r}; Falconet runs {', '.join(_MODEL_TYPES)}."
            )
        values = {_EARLY_NAMES.get(key, key): value for key, value in raw.items()}
        # Early files have no such key: there, grouped key heads are the new decoder's mark.
        new_decoder = _flag(values, "new_decoder_architecture", "n_head_kv" in raw)
        parallel = new_decoder or _flag(values, "parallel_attn", True)
        heads = _integer(values, "num_attention_heads")
        hidden = _integer(values, "hidden_size")
        if _flag(values, "apply_residual_connection_post_layernorm", False):
            raise ConfigError("config.json: apply_residual_connection_post_layernorm true is in no Falcon.")
        if values.get("activation", "gelu") not in _ACTIVATIONS:
            raise ConfigError(f"config.json: activation {values['activation']!r} is in no Falcon; known: gelu.")
        return cls(
            vocab_size=_integer(values, "vocab_size"),
            hidden_size=hidden,
            num_layers=_integer(values, "num_hidden_layers"),
            num_heads=heads,
            num_kv_heads=_kv_heads(values, heads, new_decoder),
            ffn_hidden_size=_integer(values, "ffn_hidden_size", 4 * hidden),
            parallel_attn=parallel,
            norms_per_block=_norms(values, new_decoder),
            alibi=_flag(values, "alibi", False),
            bias=_flag(values, "bias", False),
            rope_theta=_rope_theta(values),
            layer_norm_epsilon=_number(values, "layer_norm_epsilon", 1e-5),
            tie_word_embeddings=_flag(values, "tie_word_embeddings", True),
            context_length=_integer(values, "max_position_embeddings", _DEFAULT_CONTEXT),
            bos_token_id=_integer(values, "bos_token_id", 11),
            eos_token_ids=_token_ids(values, "eos_token_id", 11),
        )


def _kv_heads(values: Mapping[str, Any], heads: int, new_decoder: bool) -> int:
    if new_decoder:
        return _integer(values, "num_kv_heads", _integer(values, "n_head_kv", heads))
    # 7B's later file says num_kv_heads 71 beside multi_query true: one key head exists.
    return 1 if _flag(values, "multi_query", True) else heads


def _norms(values: Mapping[str, Any], new_decoder: bool) -> int:
    """Two norms in the new decoder unless the file says one (11B); the old decoder shares one whatever it says."""
    return _integer(values, "num_ln_in_parallel_attn", 2) if new_decoder else 1


def _rope_theta(values: Mapping[str, Any]) -> float:
    """Base of the rotary angles: `rope_theta`, or transformers 5's `rope_parameters`. Scaled variants are refused."""
    parameters = values.get("rope_parameters") or {}
    if not isinstance(parameters, dict):
        raise ConfigError(f"config.json: rope_parameters must be an object, not {parameters!r}.")
    scaling = values.get("rope_scaling")
    kind = parameters.get("rope_type", "default")
    if scaling or kind != "default":
        raise ConfigError(f"config.json: rope_scaling {scaling or kind!r} is in no Falcon.")
    return _number(parameters if "rope_theta" in parameters else values, "rope_theta", 10000.0)


def _integer(values: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = values.get(key)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"config.json: {key} must be a whole number, not {value!r}.")
    return value


def _token_ids(values: Mapping[str, Any], key: str, default: int) -> tuple[int, ...]:
    """One id, or a list of them, as transformers allows where several tokens end a text."""
    value = values.get(key)
    if not isinstance(value, list):
        return (_integer(values, key, default),)
    if not value:
        raise ConfigError(f"config.json: {key} must be a token id or a list of them, not an empty list.")
    return tuple(_integer({key: token}, key) for token in value)


def _number(values: Mapping[str, Any], key: str, default: float) -> float:
    value = values.get(key)
    value = default if value is None else value
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ConfigError(f"config.json: {key} must be a positive number, not {value!r}.")
    return float(value)


def _flag(values: Mapping[str, Any], key: str, default: bool) -> bool:
    value = values.get(key)
    value = default if value is None else value
    if not isinstance(value, bool):
        raise ConfigError(f"config.json: {key} must be true or false, not {value!r}.")
    return value
