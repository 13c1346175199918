"""Chooser: how the tokens of one answer are chosen, wherever their scores are. N places scored, V vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime.sampling import SamplingConfig, sample

_PERIOD = 1 << 128  # of PCG64: so many numbers on, it is where it was


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """All that the choice of one token depends on, beside its scores."""

    config: SamplingConfig
    history: Sequence[int]  # every token before it, the prompt's too; may be empty where `config.uses_history` is False
    prompt_length: int  # of the history, the first so many are the prompt's
    choices: int  # the first so many ids can be chosen
    chance: float  # by which the token is drawn, 0 <= chance < 1; of no account where `config.greedy`


class Chooser:
    """Chooses the tokens of one answer, with one number of the seed's for each that is chosen, wherever that is.

    A backend that leaves scores on a device chooses there by `asks` and tells `standing`; others give their rows to
    `on_host`.
    """

    def __init__(self, config: SamplingConfig, history: Sequence[int], *, choices: int) -> None:
        """`history` holds the prompt; whoever appends to it what was written. The first `choices` ids can be chosen."""
        self.config = config
        self.choices = choices
        self._history = history
        self._prompt_length = len(history)
        self._chance = config.generator()

    def one(
        self, logits: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_] | None = None, ahead: Sequence[int] = ()
    ) -> int:
        """The token after the history and `ahead`, by `logits` [V], of those that `allowed` [choices] marks.

        Raises what `sample` raises.
        """
        return sample(
            logits[: self.choices],
            self._seen(ahead),
            self.config,
            self._chance,
            prompt_length=self._prompt_length,
            allowed=allowed,
        )

    def on_host(self, rows: Iterable[npt.NDArray[np.float32]], tokens: Sequence[int]) -> list[int]:
        """The tokens chosen by `rows` [N, V], the scores after each of `tokens` [N]: the history's last, then guesses.

        The next row counts only where the guess before it was chosen: 1 to N tokens, of which all but the last are
        guesses. Raises what `sample` raises.
        """
        chosen: list[int] = []
        for place, logits in enumerate(rows):
            chosen.append(self.one(logits, ahead=tokens[1 : place + 1]))
            if chosen[-1] not in tokens[place + 1 : place + 2]:
                break
        return chosen

    def asks(self, tokens: Sequence[int]) -> list[Ask]:
        """What the rows after each of `tokens` [N] are asked, as in `on_host`, each as if the guesses before it stood.

        `standing` must be told what was chosen before anything else is.
        """
        chances = [0.0] * len(tokens) if self.config.greedy else self._chance.random(len(tokens)).tolist()
        return [
            Ask(
                config=self.config,
                history=self._seen(tokens[1 : place + 1]),
                prompt_length=self._prompt_length,
                choices=self.choices,
                chance=chance,
            )
            for place, chance in enumerate(chances)
        ]

    def standing(self, chosen: Sequence[int], tokens: Sequence[int]) -> list[int]:
        """Of `chosen` [N] by `asks(tokens)`, those that stand: as `on_host` would have chosen them.

        Numbers drawn for the others are given back, so that the next token gets the one that it would have got.
        """
        count = 1
        while count < len(tokens) and chosen[count - 1] == tokens[count]:
            count += 1
        if count < len(tokens) and not self.config.greedy:
            bits = self._chance.bit_generator
            assert isinstance(bits, np.random.PCG64)
            bits.advance(_PERIOD - (len(tokens) - count))
        return list(chosen[:count])

    def _seen(self, ahead: Sequence[int]) -> Sequence[int]:
        if not self.config.uses_history:
            return ()
        return [*self._history, *ahead] if ahead else self._history
