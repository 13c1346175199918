"""SamplingConfig: how to choose among tokens, checked once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

import numpy as np

from runtime.arguments import check_whole, plain_number, shown
from runtime.errors import OptionError

Order = Literal["transformers", "llama.cpp"]
"""Where temperature acts: before the filters, or after them (the package's docstring has the whole table)."""

_GREEDY_BELOW = 1e-4  # scores divided by less overflow; there the likeliest token has all the mass anyway
_LARGEST_BIAS = 100  # OpenAI's range: more than any model's preference, so in practice "always" and "never"
_LARGEST_ID = 2**31 - 1


class LogitBias(Mapping[int, float]):
    """Token ids and what is added to their scores, -100 to 100. Immutable and hashable, in order of ids.

    Raises OptionError for what is no id, no number, or out of range.
    """

    __slots__ = ("_biases", "ids", "values_by_id")

    def __init__(self, biases: Mapping[int, float] | None = None) -> None:
        biases = {} if biases is None else biases
        if not isinstance(biases, Mapping):
            raise OptionError(f"logit_bias must map token ids to numbers, not be {shown(biases)}.")
        for token, bias in biases.items():
            if not _is_whole(token) or token > _LARGEST_ID:
                raise OptionError(f"logit_bias must name tokens by their ids, 0 or more, not {shown(token)}.")
            _check_number(f"logit_bias of token {token}", bias, -_LARGEST_BIAS, _LARGEST_BIAS)
        self._biases = {token: float(biases[token]) for token in sorted(biases)}
        self.ids = np.fromiter(self._biases, np.intp, len(self._biases))
        self.values_by_id = np.fromiter(self._biases.values(), np.float32, len(self._biases))
        self.ids.flags.writeable = self.values_by_id.flags.writeable = False

    @property
    def largest(self) -> int:
        """The largest id; -1 where there is none."""
        return int(self.ids[-1]) if len(self.ids) else -1

    def __getitem__(self, token: int) -> float:
        return self._biases[token]

    def __iter__(self) -> Iterator[int]:
        return iter(self._biases)

    def __len__(self) -> int:
        return len(self._biases)

    def __hash__(self) -> int:
        return hash(tuple(self._biases.items()))

    def __repr__(self) -> str:
        return f"LogitBias({self._biases!r})"


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How to choose among tokens. Raises OptionError for a value outside its range.

    The same seed, scores and numpy give the same tokens (numpy's PCG64); without a seed each answer differs.
    """

    temperature: float = 0.7  # 0 is greedy
    top_k: int = 0  # likeliest tokens kept, with those that tie with the last; 0 keeps all
    top_p: float = 0.95  # likeliest tokens kept until they hold this share of the mass; 1 keeps all
    min_p: float = 0.0  # tokens dropped that are less likely than this share of the likeliest; 0 keeps all
    typical_p: float = 1.0  # tokens of most typical surprise kept until they hold this share of the mass; 1 keeps all
    repetition_penalty: float = 1.0  # 1 is off; above, tokens of the window become less likely (Keskar et al. 2019)
    repetition_window: int = 64  # last tokens, the prompt's included, that are penalised; 0 is all
    presence_penalty: float = 0.0  # taken from the score of every token that was generated (OpenAI), never the prompt's
    frequency_penalty: float = 0.0  # the same, times how often it was generated
    logit_bias: Mapping[int, float] = field(default_factory=LogitBias)  # added to scores by token id; kept as LogitBias
    order: Order = "transformers"
    seed: int | None = None

    def __post_init__(self) -> None:
        for known in fields(self):
            object.__setattr__(self, known.name, plain_number(getattr(self, known.name)))
        _check_number("temperature", self.temperature, 0, 100)
        _check_share("top_p", self.top_p)
        _check_share("typical_p", self.typical_p)
        _check_number("min_p", self.min_p, 0, 1)
        _check_number("repetition_penalty", self.repetition_penalty, 0.1, 10)
        _check_number("presence_penalty", self.presence_penalty, -2, 2)
        _check_number("frequency_penalty", self.frequency_penalty, -2, 2)
        check_whole("top_k", self.top_k)
        check_whole("repetition_window", self.repetition_window)
        if self.seed is not None:
            check_whole("seed", self.seed)
        if not isinstance(self.order, str) or self.order not in get_args(Order):
            raise OptionError(f"order must be {' or '.join(get_args(Order))}, not {shown(self.order)}.")
        object.__setattr__(self, "logit_bias", LogitBias(self.logit_bias))

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature < _GREEDY_BELOW

    @property
    def uses_history(self) -> bool:
        """Whether `sample` looks at the history; where not, it may be given an empty one."""
        return self.repetition_penalty != 1 or self.presence_penalty != 0 or self.frequency_penalty != 0

    def generator(self) -> np.random.Generator:
        """A new source of chance for one answer, the same for the same seed."""
        return np.random.Generator(np.random.PCG64(self.seed))

    def check_vocabulary(self, vocab_size: int) -> None:
        """Raise OptionError where `logit_bias` names a token that a vocabulary of `vocab_size` does not have."""
        assert isinstance(self.logit_bias, LogitBias)
        largest = self.logit_bias.largest
        if largest >= vocab_size:
            raise OptionError(
                f"logit_bias names token {largest}, but this model's vocabulary ends at {vocab_size - 1}; "
                "use ids of its own tokenizer."
            )


def _check_number(name: str, value: object, low: float, high: float) -> None:
    # NaN compares false with everything, so it is outside every range.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise OptionError(f"{name} must be a number from {low} to {high}, not {shown(value)}.")


def _check_share(name: str, value: float) -> None:
    _check_number(name, value, 0, 1)
    if not value:
        raise OptionError(f"{name} must be above 0: at 0 no token is left; for the likeliest use temperature 0.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
