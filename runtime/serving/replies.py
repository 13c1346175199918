"""Replies: an answer's events in the forms of OpenAI's API, whole or chunk by chunk."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from runtime.events import Finished, TextDelta
from runtime.sampling import TokenLogprobs
from runtime.serving.logprobs import LogprobWriter
from runtime.serving.model import ServedModel
from runtime.serving.requests import Ask

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # made once: a token takes less time
_REASONS = {"stop": "stop", "length": "length", "context": "length"}


def to_json(value: object) -> bytes:
    """`value` as JSON in UTF-8. Halves of surrogate pairs, which only a client can have sent, become question marks."""
    return _JSON.encode(value).encode("utf-8", errors="replace")


class Reply:
    """What is sent for one request. Choices are numbered as `Ask.choices`."""

    def __init__(self, ask: Ask, model: ServedModel) -> None:
        self._ask = ask
        self._logprobs = [LogprobWriter(model.tokenizer, chat=ask.chat, ids=ask.ids) for _ in ask.choices]
        self._told = [0] * len(ask.choices)  # entries of log-probabilities that were sent
        self._ends: dict[int, Finished] = {}
        self._head = {
            "id": f"{'chatcmpl' if ask.chat else 'cmpl'}-{secrets.token_hex(12)}",
            "object": "chat.completion" if ask.chat else "text_completion",
            "created": int(time.time()),
            "model": model.name,
            "system_fingerprint": model.fingerprint,
        }

    def end(self, index: int, finished: Finished) -> None:
        """Choice `index` has ended so."""
        self._ends[index] = finished

    def whole(self) -> dict[str, Any]:
        """All choices, which have ended."""
        choices = [self._choice(index, finished) for index, finished in sorted(self._ends.items())]
        return {**self._head, "choices": choices, "usage": self._usage()}

    def first_chunks(self) -> list[dict[str, Any]]:
        """Before any text: whose words follow."""
        if not self._ask.chat:
            return []
        delta = {"role": "assistant", "content": ""}
        return [self._chunk(index, {"delta": delta}) for index in range(len(self._told))]

    def chunk(self, index: int, event: TextDelta) -> dict[str, Any]:
        """More of choice `index`."""
        return self._chunk(index, self._part(event.text), event.logprobs)

    def last_chunk(self, index: int, finished: Finished) -> dict[str, Any]:
        """The end of choice `index`: why it ended, and the log-probabilities of tokens whose text is not shown."""
        self.end(index, finished)
        part: dict[str, Any] = {"delta": {}} if self._ask.chat else {"text": ""}
        return self._chunk(index, part, finished.logprobs[self._told[index] :], _REASONS[finished.reason])

    def usage_chunk(self) -> dict[str, Any] | None:
        """What a stream ends with where it was asked to count."""
        if not self._ask.usage:
            return None
        return {**self._stream_head(), "choices": [], "usage": self._usage()}

    def _choice(self, index: int, finished: Finished) -> dict[str, Any]:
        message = {"role": "assistant", "content": finished.text, "refusal": None}
        return {
            "index": index,
            **({"message": message} if self._ask.chat else {"text": finished.text}),
            "logprobs": self._logprob_body(index, finished.logprobs),
            "finish_reason": _REASONS[finished.reason],
        }

    def _chunk(
        self, index: int, part: dict[str, Any], logprobs: Sequence[TokenLogprobs] = (), reason: str | None = None
    ) -> dict[str, Any]:
        self._told[index] += len(logprobs)
        told = self._logprob_body(index, logprobs) if logprobs else None
        choice = {"index": index, **part, "logprobs": told, "finish_reason": reason}
        usage = {"usage": None} if self._ask.usage else {}
        return {**self._stream_head(), "choices": [choice], **usage}

    def _stream_head(self) -> dict[str, Any]:
        return {**self._head, "object": "chat.completion.chunk"} if self._ask.chat else self._head

    def _part(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text}} if self._ask.chat else {"text": text}

    def _logprob_body(self, index: int, entries: Sequence[TokenLogprobs]) -> dict[str, Any] | None:
        return None if self._ask.options.logprobs is None else self._logprobs[index].body(entries)

    def _usage(self) -> dict[str, Any]:
        """Tokens of all choices; a prompt counts once, however many answers it got."""
        stats = [finished.stats for _, finished in sorted(self._ends.items())]
        firsts = stats[:: self._ask.count]
        prompt = sum(one.prompt_tokens for one in firsts)
        new = sum(one.new_tokens for one in stats)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": new,
            "total_tokens": prompt + new,
            "prompt_tokens_details": {"cached_tokens": sum(one.reused_tokens for one in firsts)},
        }
