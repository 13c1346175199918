"""Session: the tokens held in one state of a backend. A new prompt keeps the prefix that it shares with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress, count
from operator import ne
from pathlib import Path
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from runtime.arguments import check_callable, check_kind, check_text, check_whole, checked_ids, checked_path
from runtime.backends.base import Backend, KeyValues, Logits, S, check_truncate, checked_tokens
from runtime.chooser import Chooser
from runtime.errors import SessionFileError, UserFacingError
from runtime.need import Feeding, Need, UnservedError, alone
from runtime.saved import SavedSession


def never() -> bool:
    """The answer to `cancelled` of who does not cancel."""
    return False


@dataclass(frozen=True, kw_only=True)
class Feed:
    """What one prompt took, in tokens. `complete` is false where it was cancelled on the way."""

    reused_tokens: int
    fed_tokens: int
    complete: bool = True


class Session(Generic[S]):
    """One conversation's tokens on a backend. `tokens` and the state agree whenever no call is running."""

    def __init__(
        self, backend: Backend[S], held: KeyValues | None = None, tokens: Sequence[int] = (), prompt_length: int = 0
    ) -> None:
        """An empty session, or one that holds `tokens`, whose keys and values are `held`; the first `prompt_length`
        were the last prompt. ValueError where `held` is of another shape than the backend's, OptionError for what is no
        backend or are no tokens."""
        check_kind("backend", backend, Backend, "an opened backend")
        check_kind("held", held, KeyValues | None, "KeyValues or None")
        check_whole("prompt_length", prompt_length)
        self.backend = backend
        self._state = backend.new_state() if held is None else backend.restore_state(held)
        self._tokens = checked_ids("tokens", tokens)
        self._prompt_length = prompt_length
        self._logits: Logits | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        """The tokens held, oldest first."""
        return tuple(self._tokens)

    @property
    def prompt_length(self) -> int:
        """Of the tokens held, the first so many were the last prompt; an answer follows."""
        return min(self._prompt_length, len(self._tokens))

    @property
    def context_length(self) -> int:
        """Tokens that can be held."""
        return self.backend.context_length

    @property
    def room_left(self) -> int:
        """Tokens that can still be fed."""
        return self.context_length - len(self._tokens)

    @property
    def last_logits(self) -> Logits:
        """Scores [vocab_size] of the token after the last one. RuntimeError where the last one was not just fed."""
        if self._logits is None:
            raise RuntimeError("no scores: feed a prompt first.")
        return self._logits

    def set_prompt(self, tokens: Sequence[int], *, cancelled: Callable[[], bool] = never) -> Feed:
        """Hold exactly `tokens`, feeding only what follows the prefix that is held already.

        `cancelled` is asked before every piece; where it says yes, what was fed until then is held. Raises what
        `checked_tokens` raises, before anything is forgotten or fed.
        """
        return alone(self.backend, self.reading(tokens, cancelled=cancelled))

    def reading(self, tokens: Sequence[int], *, cancelled: Callable[[], bool] = never) -> Feeding[S, Feed]:
        """`set_prompt`, whose driver serves the needs. A piece that it leaves unserved counts as cancelled."""
        check_callable("cancelled", cancelled)
        wanted = self._checked(tokens, after=0)
        shared = shared_prefix(self._tokens, wanted)
        if shared == len(wanted) and (shared < len(self._tokens) or self._logits is None):
            shared -= 1  # scores come from feeding only: the last token is fed again
        self.truncate(shared)
        try:
            complete = yield from self._feed(wanted[shared:], cancelled)
        except UnservedError:
            complete = False
        self._prompt_length = len(self._tokens)
        return Feed(reused_tokens=shared, fed_tokens=len(self._tokens) - shared, complete=complete)

    def extend(self, tokens: Sequence[int]) -> Logits:
        """Append `tokens` and score the next: [vocab_size]. Raises what `checked_tokens` raises, changing nothing."""
        return alone(self.backend, self.extending(tokens))

    def extending(self, tokens: Sequence[int]) -> Feeding[S, Logits]:
        """`extend`, whose driver serves the needs."""
        yield from self._feed(self._to_append(tokens), never)
        return self.last_logits

    def extend_all(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Append `tokens` [N] and score the token after each: [N, vocab_size]. Raises as `extend`."""
        return alone(self.backend, self.extending_all(tokens))

    def extending_all(self, tokens: Sequence[int]) -> Feeding[S, npt.NDArray[np.float32]]:
        """`extend_all`, whose driver serves the need."""
        rows: npt.NDArray[np.float32] = yield from self._append(Need(self._to_append(tokens), self._state, "each"))
        self._logits = rows[-1]
        return rows

    def choose(self, tokens: Sequence[int], chooser: Chooser) -> list[int]:
        """Append `tokens` [N] and choose what comes after them, as `Backend.choose` does. Raises what that raises.

        All N are held then, whatever was chosen; there are no `last_logits`, which may never have left the device.
        """
        return alone(self.backend, self.choosing(tokens, chooser))

    def choosing(self, tokens: Sequence[int], chooser: Chooser) -> Feeding[S, list[int]]:
        """`choose`, whose driver serves the need."""
        need = Need(self._to_append(tokens), self._state, chooser=chooser)
        chosen: list[int] = yield from self._append(need)
        self._logits = None
        return chosen

    def truncate(self, length: int) -> None:
        """Forget the tokens from position `length` on. OptionError unless 0 <= length <= tokens held."""
        check_truncate(length, len(self._tokens))
        if length != len(self._tokens):
            self._state.truncate(length)
            del self._tokens[length:]
            self._logits = None

    def clear(self) -> None:
        """Forget everything. Raises what `new_state` raises; everything is forgotten then, too."""
        self._state.truncate(0)  # what is left where there is no memory for another
        self._tokens = []
        self._prompt_length = 0
        self._logits = None
        self._state = self.backend.new_state()

    def fork(self, length: int) -> Session[S]:
        """Another session that holds the first `length` tokens. OptionError unless 0 <= length <= tokens held."""
        check_truncate(length, len(self._tokens))
        held = self.backend.save_state(self._state)
        part = KeyValues(held.keys[:, :, :length], held.values[:, :, :length])
        return Session(self.backend, part, self._tokens[:length], min(length, self.prompt_length))

    def save(self, file: str | Path, *, bundle: str) -> None:
        """Keep tokens, keys and values in `file`, for the bundle of this hash. Raises SessionFileError."""
        path = checked_path("file", file)
        check_text("bundle", bundle)
        SavedSession(bundle, self.tokens, self.prompt_length, self.backend.save_state(self._state)).write(path)

    @classmethod
    def restore(cls, backend: Backend[S], file: str | Path, *, bundle: str) -> Session[S]:
        """The session that `file` holds, on any backend of the bundle of this hash.

        Raises SessionFileError for a file that is missing, damaged, newer than this program or another bundle's.
        """
        check_kind("backend", backend, Backend, "an opened backend")
        check_text("bundle", bundle)
        return cls.holding(backend, SavedSession.read(checked_path("file", file), bundle=bundle), file)

    @classmethod
    def holding(cls, backend: Backend[S], saved: SavedSession, file: str | Path) -> Session[S]:
        """A session that holds `saved`, which was read from `file`. SessionFileError where the model is another."""
        try:
            if saved.tokens:
                checked_tokens(
                    saved.tokens, length=0, context_length=backend.context_length, vocab_size=backend.vocab_size
                )
            return cls(backend, saved.key_values, saved.tokens, saved.prompt_length)
        except (ValueError, UserFacingError):
            raise SessionFileError(f"{file} is of another model; the conversation has to be read again.") from None

    def _checked(self, tokens: Sequence[int], *, after: int) -> list[int]:
        """`tokens` where they may follow `after` others. Raises what `checked_tokens` raises."""
        backend = self.backend
        ids: list[int] = checked_tokens(
            tokens, length=after, context_length=backend.context_length, vocab_size=backend.vocab_size
        ).tolist()
        return ids

    def _to_append(self, tokens: Sequence[int]) -> list[int]:
        return self._checked(tokens, after=len(self._tokens))

    def _feed(self, tokens: list[int], cancelled: Callable[[], bool]) -> Feeding[S, bool]:
        """Feed in the backend's pieces; false where cancelled before the last."""
        size = self.backend.chunk_length
        for start in range(0, len(tokens), size):
            if cancelled():
                return False
            self._logits = yield from self._append(Need(tokens[start : start + size], self._state))
        return True

    def _append(self, need: Need[S]) -> Feeding[S, Any]:
        """The reply to `need`, whose tokens are held from then on."""
        try:
            reply = yield need
        except UnservedError:
            raise
        except BaseException:
            self.clear()  # who died in the middle of a piece left the state half-written
            raise
        self._tokens += need.tokens
        return reply


def shared_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading items are the same in both."""
    size = min(len(left), len(right))
    return next(compress(count(), map(ne, left, right)), size)
