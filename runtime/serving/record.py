"""Record: what is told about a request when it is over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from runtime.events import Event, Finished, Prefilled, TextDelta
from runtime.serving.errors import RefusalError

_KEY = "falconet.record"  # of ASGI's scope


@dataclass
class Record:
    """One request, filled in while it is answered."""

    method: str
    path: str
    status: int = 0  # of HTTP; 0 where the client left before it was sent
    left: bool = False  # the client went away before the end
    error: str | None = None  # why there was no answer, or only a part of one
    prompt_tokens: int = 0
    reused_tokens: int = 0  # of these, read before
    seconds: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    _tokens: dict[int, int] = field(default_factory=dict)  # of each choice
    _decode_seconds: float = 0.0

    @classmethod
    def of(cls, scope: Any) -> Record:
        """The record of the request of `scope`."""
        found: Record = scope.setdefault(_KEY, cls(str(scope.get("method", "")), str(scope.get("path", ""))))
        return found

    @property
    def new_tokens(self) -> int:
        """Tokens written, of all choices."""
        return sum(self._tokens.values())

    @property
    def tokens_per_second(self) -> float | None:
        """Of all choices together, after their first tokens; None where that is not known."""
        after = self.new_tokens - len(self._tokens)
        return after / self._decode_seconds if after > 0 and self._decode_seconds > 0 else None

    def note(self, index: int, event: Event) -> None:
        """Choice `index` got on."""
        match event:
            case Prefilled():
                self.prompt_tokens += event.prompt_tokens
                self.reused_tokens += event.reused_tokens
            case TextDelta():
                self._tokens[index] = event.tokens
            case Finished():
                self._tokens[index] = event.stats.new_tokens
                self._decode_seconds = max(self._decode_seconds, event.stats.decode_seconds)

    def refused(self, refusal: RefusalError) -> None:
        """Why the answer is missing, or ends."""
        self.error = refusal.message

    def over(self) -> None:
        """The request has ended now."""
        self.seconds = time.monotonic() - self.begun

    def to_json(self) -> dict[str, Any]:
        """For programs that read the server's output."""
        return {
            "event": "request",
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "left": self.left,
            "error": self.error,
            "prompt_tokens": self.prompt_tokens,
            "reused_tokens": self.reused_tokens,
            "new_tokens": self.new_tokens,
            "seconds": round(self.seconds, 3),
            "tokens_per_second": self.tokens_per_second,
        }
