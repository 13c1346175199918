"""Engine: what a window, a server or a terminal talks to. LocalEngine runs a bundle in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runtime.backends.base import Backend
from runtime.backends.choice import open_backend
from runtime.bundle import Bundle
from runtime.chat import ChatTemplate, Message
from runtime.errors import BundleError
from runtime.generation import Event, generate
from runtime.sampling import SamplingConfig
from runtime.session import Session, never
from runtime.tokenizer import Tokenizer, resolve_eos


class LocalEngine:
    """A bundle, its tokenizer and one session on a backend. One answer at a time."""

    def __init__(self, bundle: Bundle, backend: Backend[Any], tokenizer: Tokenizer, template: ChatTemplate) -> None:
        self.bundle = bundle
        self.backend = backend
        self.tokenizer = tokenizer
        self.template = template
        self._session: Session[Any] = Session(backend)
        self._eos_id = resolve_eos(_read_config(bundle), tokenizer)

    @classmethod
    def open(cls, folder: str | Path, *, backend: str | None = None, template: str | None = None) -> LocalEngine:
        """Load the bundle in `folder` on the named backend, or the best there is.

        Raises BundleError for a folder that is no whole bundle, BackendUnavailableError with the reason.
        """
        bundle = Bundle.open(folder)
        tokenizer = Tokenizer.open(bundle.folder)
        chosen = ChatTemplate.named(template or bundle.manifest.chat_template)
        return cls(bundle, open_backend(bundle, backend), tokenizer, chosen)

    @property
    def context_length(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self.backend.context_length

    def chat(
        self,
        messages: Sequence[Message],
        *,
        sampling: SamplingConfig | None = None,
        max_new_tokens: int | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Answer a conversation; what it shares with the one before is not read again. Raises ChatError and
        ContextFullError before anything is fed."""
        prompt = self.template.encode(messages, self.tokenizer)
        return generate(
            self._session,
            prompt,
            self.tokenizer,
            sampling=sampling,
            max_new_tokens=max_new_tokens,
            stop=self.template.stop,
            stop_ids=self.template.stop_ids(self.tokenizer) | {self._eos_id},
            trim=self.template.trims,
            cancelled=cancelled,
        )

    def complete(
        self,
        prompt: str,
        *,
        sampling: SamplingConfig | None = None,
        max_new_tokens: int | None = None,
        stop: Sequence[str] = (),
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Continue a text. An empty one begins after `<|endoftext|>`, as documents did in training."""
        ids = self.tokenizer.encode(prompt) or [self._eos_id]
        return generate(
            self._session,
            ids,
            self.tokenizer,
            sampling=sampling,
            max_new_tokens=max_new_tokens,
            stop=stop,
            stop_ids={self._eos_id},
            cancelled=cancelled,
        )

    def close(self) -> None:
        """Give back the backend's memory."""
        self.backend.close()


def _read_config(bundle: Bundle) -> dict[str, Any]:
    file = bundle.folder / "config.json"
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BundleError(f"{file} is missing or damaged; export the bundle again.") from None
    if not isinstance(raw, dict):
        raise BundleError(f"{file} is damaged; export the bundle again.")
    return raw
