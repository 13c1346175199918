"""RecordedChoice: choosing for rows whose scores always lie in the same memory, so that a launch can be recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from runtime.backends.asked import Asked, Steps, prepared
from runtime.backends.choosing import Part, asked_of, chosen_ids, ids_of, kind_of_ask, standing_each
from runtime.errors import UserFacingError

Call = Callable[[], Tensor]

_MOST = 16  # recordings; what a row is asked differs in numbers, seldom in steps


class RecordedChoice:
    """Tokens chosen by `scores`, again and again, whatever is asked: `ask` while the scores are made, then `chosen`."""

    def __init__(self, scores: Tensor, record: Callable[[Call], Call]) -> None:
        """`scores` [R, V], float32, stay in their memory. `record` takes a computation and gives what repeats it, from
        what its inputs hold by then; its output may be overwritten the next time."""
        self._scores = scores
        self._record = record
        self._held: dict[Steps, _Held] = {}
        self._asked: tuple[Sequence[Part], Callable[[], list[int]]] | None = None

    def ask(self, parts: Sequence[Part]) -> None:
        """Say how the rows of several answers, at most R, are to be judged. Raises OptionError as `choose_each`.

        Rows of different kinds (`kind_of_ask`) are chosen for unrecorded: they are rare, and need steps apart.
        """
        asks = asked_of(parts)
        if len({kind_of_ask(ask) for ask in asks}) > 1:
            self._asked = parts, lambda: ids_of(self._scores[: len(asks)], asks)
            return
        padded = [*asks, *asks[-1:] * (len(self._scores) - len(asks))]  # what the other rows hold is of no account
        steps, asked = prepared(padded, "cpu")
        held = self._held.get(steps) or self._hold(steps, asked)
        held.host.overwrite(asked)
        held.there.overwrite(held.host)
        if held.call is None:
            held.call = self._record(lambda: chosen_ids(self._scores, steps, held.there))
        call = held.call
        self._asked = parts, lambda: call()[: len(asks)].tolist()

    def chosen(self) -> list[list[int] | UserFacingError]:
        """The tokens that stand, of the answers last asked for: as `choose_each` gives them. Waits for the device."""
        assert self._asked is not None, "ask first"
        parts, ids = self._asked
        return standing_each(ids(), self._scores, parts)

    def _hold(self, steps: Steps, asked: Asked) -> _Held:
        while len(self._held) >= _MOST:
            del self._held[next(iter(self._held))]
        device = self._scores.device
        held = self._held[steps] = _Held(asked.like("cpu", pinned=device.type == "cuda"), asked.like(device))
        return held


@dataclass
class _Held:
    """The numbers of some rows on host and device, and what was recorded over them."""

    host: Asked
    there: Asked
    call: Call | None = None
