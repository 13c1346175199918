"""GenerationOptions: what one answer depends on beside its prompt. Data, checked once, the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from runtime.arguments import check_kind, checked_texts, plain_number, shown
from runtime.errors import OptionError
from runtime.sampling import SamplingConfig

ContextPolicy = Literal["stop", "rolling", "truncate-middle"]
"""What happens to a conversation that is longer than the context: `stop` refuses it; `rolling` leaves out the oldest
whole turns and keeps the system message; `truncate-middle` keeps beginning and end. The last two say so (Trimmed)."""

CONTEXT_POLICIES: tuple[ContextPolicy, ...] = get_args(ContextPolicy)
MOST_LOGPROBS = 20  # as in OpenAI's API


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """The form that an answer must have: a JSON schema, as JSON, or a regular expression of the whole answer."""

    kind: Literal["json_schema", "regex"]
    text: str

    def __post_init__(self) -> None:
        if self.kind not in ("json_schema", "regex"):
            raise OptionError(f"a grammar is a json_schema or a regex, not {shown(self.kind)}.")
        if not isinstance(self.text, str) or not self.text.strip():
            raise OptionError(f"a {self.kind} must be a text that is not empty.")
        if not _is_unicode(self.text):
            raise OptionError(f"the {self.kind} holds half of a surrogate pair, which is no character; remove it.")


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """How one answer is written. Raises OptionError for a value outside its range."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    max_new_tokens: int | None = None  # None writes until the context is full
    stop: tuple[str, ...] = ()  # texts that end the answer and are no part of it, beside the chat format's own
    logprobs: int | None = None  # log-probabilities of each token and this many of the likeliest; None: none at all
    context_policy: ContextPolicy = "stop"
    grammar: Grammar | None = None
    prompt_lookup: bool = True  # guess tokens from the prompt where the backend checks guesses cheaply; same answers

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "logprobs"):
            object.__setattr__(self, name, plain_number(getattr(self, name)))
        if self.max_new_tokens is not None and (type(self.max_new_tokens) is not int or self.max_new_tokens < 1):
            raise OptionError(f"max_new_tokens must be a whole number above 0, not {shown(self.max_new_tokens)}.")
        object.__setattr__(self, "stop", _texts(self.stop))
        if self.logprobs is not None and (type(self.logprobs) is not int or not 0 <= self.logprobs <= MOST_LOGPROBS):
            raise OptionError(f"logprobs must be a whole number from 0 to {MOST_LOGPROBS}, not {shown(self.logprobs)}.")
        if self.context_policy not in CONTEXT_POLICIES:
            known = ", ".join(CONTEXT_POLICIES)
            raise OptionError(f"context_policy must be one of {known}, not {shown(self.context_policy)}.")
        check_kind("sampling", self.sampling, SamplingConfig, "a SamplingConfig")
        check_kind("grammar", self.grammar, Grammar | None, "a Grammar or None")
        check_kind("prompt_lookup", self.prompt_lookup, bool, "True or False")


def _texts(stop: object) -> tuple[str, ...]:
    texts = checked_texts("stop", stop)
    if not all(texts):
        raise OptionError("A stop text must not be empty: it would end every answer before it begins.")
    if not all(map(_is_unicode, texts)):
        raise OptionError("A stop text holds half of a surrogate pair, which is no character; remove it.")
    return texts


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
