"""Log-probabilities in the forms of OpenAI's chats and completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.sampling import TokenLogprobs
from runtime.tokenizer import Tokenizer

_LEAST = -9_999.0  # stands for no chance at all, as in OpenAI's API: JSON has no infinity


class LogprobWriter:
    """Writes one answer's log-probabilities, piece by piece."""

    def __init__(self, tokenizer: Tokenizer, *, chat: bool, ids: bool) -> None:
        """`ids`: tokens are named by their ids, as `token_id:5`, not by their text."""
        self._tokenizer = tokenizer
        self._chat = chat
        self._ids = ids
        self._offset = 0  # characters that the answer's tokens have begun

    def body(self, entries: Sequence[TokenLogprobs]) -> dict[str, Any]:
        """The next entries, in the form of the answer's kind."""
        if self._chat:
            return {"content": [self._entry(entry) for entry in entries], "refusal": None}
        return {
            "tokens": [self._name(entry.token) for entry in entries],
            "token_logprobs": [max(entry.logprob, _LEAST) for entry in entries],
            "top_logprobs": [{self._name(token): max(value, _LEAST) for token, value in e.top} for e in entries],
            "text_offset": [self._next_offset(entry.token) for entry in entries],
        }

    def _entry(self, entry: TokenLogprobs) -> dict[str, Any]:
        top = [self._token(token, value) for token, value in entry.top]
        return {**self._token(entry.token, entry.logprob), "top_logprobs": top}

    def _token(self, token: int, logprob: float) -> dict[str, Any]:
        """With `id` as llama.cpp's server has it: texts of tokens are not unique."""
        spelled = list(self._tokenizer.token_bytes(token))
        return {"token": self._name(token), "id": token, "logprob": max(logprob, _LEAST), "bytes": spelled}

    def _name(self, token: int) -> str:
        if self._ids:
            return f"token_id:{token}"
        data = self._tokenizer.token_bytes(token)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:  # a part of a character, as OpenAI's completions spell it
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)

    def _next_offset(self, token: int) -> int:
        offset = self._offset
        self._offset += sum(byte & 0xC0 != 0x80 for byte in self._tokenizer.token_bytes(token))
        return offset
