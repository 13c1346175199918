"""SessionPool: the sessions of the conversations that were answered last, so that each goes on where it was."""

from __future__ import annotations

import gc
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic

from runtime.backends.base import Backend, S
from runtime.errors import DeviceMemoryError
from runtime.session import Session, shared_prefix

MOST_SESSIONS = 4
MOST_BYTES = 256 << 20  # of states: sixteen of Falcon-7B's, one of Falcon-40B's
_WORTH_COPYING = 8  # tokens; fewer are fed again as fast


@dataclass
class _Place(Generic[S]):
    session: Session[S]
    conversation: Hashable
    busy: bool = False  # an answer is written in it


class SessionPool(Generic[S]):
    """At most `most` sessions on one backend, fewer where their states would take more than `most_bytes`.

    Where several answers are written at once, each holds its session: none is given to another prompt until it is
    released. Those that are held may be more than `most`.
    """

    def __init__(
        self, backend: Backend[S], *, state_bytes: int, most: int = MOST_SESSIONS, most_bytes: int = MOST_BYTES
    ) -> None:
        """`state_bytes`: of the keys and values that one state has room for."""
        self._backend = backend
        self.capacity = max(1, min(most, most_bytes // state_bytes))
        """Sessions that are kept, at least one."""
        self._places: list[_Place[S]] = []  # the one used last at the end

    def __len__(self) -> int:
        return len(self._places)

    @property
    def latest(self) -> Session[S] | None:
        """The session that was used last."""
        return self._places[-1].session if self._places else None

    def session_for(self, prompt: Sequence[int], conversation: Hashable = None) -> Session[S]:
        """The session that `prompt` is best fed to: it shares the longest prefix, and no other conversation loses more
        than must be. `conversation` is equal for prompts of one conversation.

        Where the best session belongs to another conversation, or to another way that this one went, the prefix is
        copied. Where none is left for the copy, an older one of the same conversation gives way, else the oldest.
        Where a device's memory is full, all that are not held give way. Raises what `new_state` raises then.
        """
        best, shared = self._best(prompt)
        if best is not None and not best.busy and shared >= best.session.prompt_length:
            return self._use(best, conversation)  # goes on, or answers once more
        victim = self._victim(conversation)
        if victim is not None and (victim is best or shared < _WORTH_COPYING):
            return self._use(victim, conversation)
        if victim is not None:
            self._places.remove(victim)  # before the copy: one state less at a time
        source = best.session if best is not None and shared >= _WORTH_COPYING else None
        full = False
        try:
            session = Session(self._backend) if source is None else source.fork(shared)
        except DeviceMemoryError:
            full = True  # no more here, where the error still holds what was begun
        if full:
            self._places = [place for place in self._places if place.busy]
            best = victim = source = None  # those that gave way
            gc.collect()  # an error of before may hold a state by its traceback, and be held by that itself
            session = Session(self._backend)
        self._places.append(_Place(session, conversation))
        return session

    def hold(self, session: Session[S]) -> None:
        """Keep `session`, which `session_for` gave, for the answer that it was given for. Once each."""
        self._place_of(session).busy = True

    def release(self, session: Session[S]) -> None:
        """Its answer has ended: the next prompt may have it."""
        self._place_of(session).busy = False
        while (victim := self._victim(None, room=0)) is not None:
            self._places.remove(victim)

    def add(self, session: Session[S]) -> None:
        """Take in a session as the one used last."""
        victim = self._victim(None)
        if victim is not None:
            self._places.remove(victim)
        self._places.append(_Place(session, None))

    def use(self, tokens: Sequence[int]) -> bool:
        """Make the session that holds `tokens` first of all the one used last; false where none does."""
        best, shared = self._best(tokens)
        if best is None or not tokens or shared < len(tokens):
            return False
        self._use(best, best.conversation)
        return True

    def clear(self) -> None:
        """Forget all."""
        self._places = []

    def _use(self, place: _Place[S], conversation: Hashable) -> Session[S]:
        self._places.remove(place)
        self._places.append(_Place(place.session, conversation))
        return place.session

    def _place_of(self, session: Session[S]) -> _Place[S]:
        return next(place for place in self._places if place.session is session)

    def _best(self, prompt: Sequence[int]) -> tuple[_Place[S] | None, int]:
        """The place that shares the longest prefix, of equals the one used last; how many tokens."""
        best, longest = None, 0
        for place in self._places:
            shared = shared_prefix(place.session.tokens, prompt)
            if shared >= longest:
                best, longest = place, shared
        return best, longest

    def _victim(self, conversation: Hashable, *, room: int = 1) -> _Place[S] | None:
        """Who gives way to so many more sessions; None while there is room, or where all are held."""
        if not self._places or len(self._places) + room <= self.capacity:
            return None
        idle = [place for place in self._places if not place.busy]
        same = (place for place in idle if conversation is not None and place.conversation == conversation)
        return next(same, next(iter(idle), None))
