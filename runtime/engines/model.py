"""LoadedModel: a bundle on a backend with its tokenizer and chat format; what is fed for a question, who writes on."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.arguments import check_kind
from runtime.backends.base import Backend
from runtime.backends.choice import open_backend
from runtime.bundle import Bundle
from runtime.chat import RAW, ChatTemplate, Message, ends_with_answer
from runtime.context import Fitted, fit_continued, fit_messages, fit_text
from runtime.engines.base import EngineInfo, checked_opening
from runtime.generation import Writer, choosable
from runtime.measure.needs import cache_bytes
from runtime.options import GenerationOptions
from runtime.tokenizer import Tokenizer

_COMPLETIONS = "completions"  # texts to be continued count as one conversation: the oldest gives way first


@dataclass(frozen=True)
class Question:
    """What is fed, and who writes the answer to it."""

    fitted: Fitted
    conversation: Hashable  # equal for questions of one conversation
    writer: Writer


@dataclass(frozen=True)
class LoadedModel:
    """All that engines need which run a bundle in this process. Raises OptionError for parts of the wrong kind."""

    bundle: Bundle
    backend: Backend[Any]
    tokenizer: Tokenizer
    template: ChatTemplate

    def __post_init__(self) -> None:
        check_kind("bundle", self.bundle, Bundle, "a Bundle")
        check_kind("backend", self.backend, Backend, "an opened backend")
        check_kind("tokenizer", self.tokenizer, Tokenizer, "a Tokenizer")
        check_kind("template", self.template, ChatTemplate, "a ChatTemplate")

    @classmethod
    def open(
        cls, folder: str | Path, *, backend: str | None, compute_units: str | None, template: str | None
    ) -> LoadedModel:
        """Load the bundle in `folder`. Arguments and errors are those of LocalEngine.open."""
        path = checked_opening(folder, backend=backend, compute_units=compute_units, template=template)
        bundle = Bundle.open(path)
        chosen = ChatTemplate.named(template or bundle.manifest.chat_template)
        tokenizer = Tokenizer.open(bundle.folder)
        return cls(bundle, open_backend(bundle, backend, compute_units=compute_units), tokenizer, chosen)

    @property
    def info(self) -> EngineInfo:
        """What answers."""
        return EngineInfo(
            model=self.bundle.manifest.name,
            backend=self.backend.name,
            context_length=self.backend.context_length,
            vocab_size=choosable(self.tokenizer, self.backend),
            has_chat_format=self.template.name != RAW,
        )

    @property
    def state_bytes(self) -> int:
        """Bytes of the keys and values of one conversation of full length."""
        return cache_bytes(self.bundle.manifest) * self.backend.context_length

    def chat(self, messages: tuple[Message, ...], options: GenerationOptions, *, goes_on: bool) -> Question:
        """A conversation to be answered, or whose last answer `goes_on`. One that is longer than its room is refused or
        cut by the context policy of `options`. Raises OptionError for options that this model cannot have."""
        self._check_vocabulary(options)
        fit = fit_continued if goes_on else fit_messages
        fitted = fit(messages, self.template, self.tokenizer, options, self.backend.context_length)
        writer = Writer(
            self.tokenizer,
            options,
            stop=self.template.stop,
            stop_ids=self.template.stop_ids(self.tokenizer),
            trim=self.template.trims,
            goes_on=goes_on,
        )
        # Another beginning, another conversation.
        opening = tuple(message.content for message in messages[: 2 if messages[0].role == "system" else 1])
        return Question(fitted, opening, writer)

    def complete(self, prompt: str, options: GenerationOptions) -> Question:
        """A text to be continued. An empty one begins after `<|endoftext|>`, as documents do in training. Raises as
        `chat`."""
        self._check_vocabulary(options)
        eos = self.tokenizer.eos_id
        fitted = fit_text(prompt, self.tokenizer, options, self.backend.context_length) if prompt else Fitted([eos])
        return Question(fitted, _COMPLETIONS, Writer(self.tokenizer, options, stop_ids=(eos,)))

    def count_tokens(self, messages: tuple[Message, ...]) -> int:
        """Tokens of the prompt that `chat` would feed, were there room."""
        return len(self.template.encode(messages, self.tokenizer, for_answer=not ends_with_answer(messages)))

    def _check_vocabulary(self, options: GenerationOptions) -> None:
        options.sampling.check_vocabulary(choosable(self.tokenizer, self.backend))
