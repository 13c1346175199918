"""Answer: one request on its way, as the window's thread knows it."""

from __future__ import annotations

from time import monotonic
from typing import Literal

from desktop.engine.events import AnswerEnd, AnswerProgress
from desktop.engine.runner import Request
from desktop.engine.seat import Seat
from desktop.store.records import Dropped, Figures
from runtime import EngineInfo, Event, Finished, Prefilled, ReasoningDelta, TextDelta, Trimmed


class Answer:
    """What was told of an answer until now. `opening` is what it began with, where one goes on."""

    def __init__(self, request: Request, seat: Seat, *, opening: str = "") -> None:
        self.request = request
        self.seat = seat  # of who writes it
        self.begun = False  # its turn has come
        self.changed = False  # since its progress was last told
        self._texts = [opening]
        self._thoughts: list[str] = []
        self._thinks_since: float | None = None  # time.monotonic, while it thinks
        self._prefilled: Prefilled | None = None
        self._dropped: Dropped | None = None
        self._tokens = 0

    def take(self, event: Event) -> AnswerEnd | None:
        """Note an event of the engine's; the end where it is one."""
        match event:
            case Trimmed(policy, messages, tokens):
                self._dropped = Dropped(policy=policy, messages=messages, tokens=tokens)
            case Prefilled():
                self._prefilled = event
            case ReasoningDelta(text):
                self._thinks_since = self._thinks_since or monotonic()
                self._thoughts.append(text)
            case TextDelta(text, tokens):
                self._texts.append(text)
                self._tokens = tokens
                self._thinks_since = None
            case Finished():
                state: Literal["interrupted", "complete"] = "interrupted" if event.reason == "cancelled" else "complete"
                return AnswerEnd(
                    request=self.request.number,
                    text=_joined(self._texts),
                    reasoning=_joined(self._thoughts),
                    state=state,
                    figures=_figures(event, self.seat.status.info),
                    dropped=self._dropped,
                    model=self.seat.status.writer,
                    tokens=event.tokens,
                )
        self.changed = True
        return None

    def progress(self) -> AnswerProgress:
        """All so far, which counts as told."""
        self.changed = False
        return AnswerProgress(
            request=self.request.number,
            text=_joined(self._texts),
            reasoning=_joined(self._thoughts),
            thinking=None if self._thinks_since is None else int(monotonic() - self._thinks_since),
            prefilled=self._prefilled,
            dropped=self._dropped,
            tokens=self._tokens,
        )

    def interrupted(self) -> AnswerEnd:
        """The end of an answer whose engine left."""
        return self._broken("interrupted")

    def failed(self, sentence: str) -> AnswerEnd:
        """The end of an answer in an error."""
        return self._broken("failed", sentence)

    def _broken(self, state: Literal["interrupted", "failed"], error: str | None = None) -> AnswerEnd:
        return AnswerEnd(
            request=self.request.number,
            text=_joined(self._texts),
            reasoning=_joined(self._thoughts),
            state=state,
            dropped=self._dropped,
            error=error,
        )


def _joined(pieces: list[str]) -> str:
    """All of `pieces`, which are one afterwards: each piece is copied a few times only."""
    pieces[:] = ["".join(pieces)]
    return pieces[0]


def _figures(finished: Finished, info: EngineInfo | None) -> Figures:
    """A prompt has tokens: where there are none nobody counted, and what came of a service were pieces of text."""
    stats = finished.stats
    is_counted = stats.prompt_tokens > 0
    return Figures(
        prompt_tokens=stats.prompt_tokens,
        reused_tokens=stats.reused_tokens,
        new_tokens=stats.new_tokens if is_counted else 0,
        first_token_seconds=stats.first_token_seconds,
        tokens_per_second=stats.tokens_per_second if is_counted else None,
        reason=finished.reason,
        context_length=None if info is None else info.context_length,
    )
