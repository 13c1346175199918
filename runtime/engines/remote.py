"""RemoteEngine: a model behind an OpenAI-compatible service, such as vLLM, TGI, llama.cpp's server or LM Studio."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any

from runtime.arguments import check_kind, check_seconds, check_whole
from runtime.chat import Message
from runtime.engines.answer import POLL_SECONDS, Answer
from runtime.engines.base import Engine, EngineInfo
from runtime.engines.connection import Arrival, Connection
from runtime.engines.openai_reply import UNKNOWN_TOKEN, Chunk, Usage, all_models, check_form
from runtime.engines.openai_request import chat_fields, completion_fields, continued_fields, option_fields
from runtime.engines.repetition import Repetition
from runtime.engines.thoughts import Thoughts
from runtime.errors import OptionError, ServiceError
from runtime.events import Event, Finished, FinishReason, Prefilled, ReasoningDelta, Stats, TextDelta
from runtime.options import GenerationOptions
from runtime.sampling import TokenLogprobs

_CHAT, _COMPLETION = "/chat/completions", "/completions"


class RemoteEngine(Engine):
    """Answers come from a service. One answer at a time: asking again ends the one before.

    Differences that the service makes: `Prefilled` counts no tokens, log-probabilities name tokens by id only where the
    service does (vLLM, llama.cpp; else -1), `Finished.tokens` is empty unless they were asked for and have ids.
    """

    def __init__(
        self, connection: Connection, model: str, context_length: int | None, *, is_shared: bool = False
    ) -> None:
        """See `open`. `is_shared`: another engine closes the connection."""
        super().__init__()
        check_kind("connection", connection, Connection, "a Connection")
        self._connection = connection
        self._is_shared = is_shared
        self._info = EngineInfo(model=model, backend="remote", context_length=context_length)

    @classmethod
    def open(
        cls,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        context_length: int | None = None,
        connect_seconds: float = 10,
        read_seconds: float = 300,
    ) -> RemoteEngine:
        """The service at `base_url`, such as http://127.0.0.1:8000/v1. `model` None asks it for its first model.

        `context_length` in tokens is for people and for `complete`; None takes what the service says about its first
        model, if it was asked. `read_seconds` without a byte end an answer. Raises OptionError for a bad argument,
        EngineError where httpx is not installed or the service cannot be asked. With `model` nothing is sent yet.
        """
        for name, seconds in (("connect_seconds", connect_seconds), ("read_seconds", read_seconds)):
            check_seconds(name, seconds)
        if model is not None and (not isinstance(model, str) or not model):
            raise OptionError("model must be the name of one of the service's models.")
        if context_length is not None:
            check_whole("context_length", context_length, least=1)
        connection = Connection(base_url, api_key, connect_seconds=connect_seconds, read_seconds=read_seconds)
        try:
            if model is None:
                model, told = _models(connection)[0]
                context_length = context_length or told
        except BaseException:
            connection.close()
            raise
        return cls(connection, model, context_length)

    @staticmethod
    def models(
        base_url: str, *, api_key: str | None = None, connect_seconds: float = 10, read_seconds: float = 300
    ) -> list[str]:
        """Names of the models that a service offers, in its order. Arguments and errors are those of `open`."""
        for name, seconds in (("connect_seconds", connect_seconds), ("read_seconds", read_seconds)):
            check_seconds(name, seconds)
        connection = Connection(base_url, api_key, connect_seconds=connect_seconds, read_seconds=read_seconds)
        try:
            return [name for name, _ in _models(connection)]
        finally:
            connection.close()

    def __repr__(self) -> str:
        return f"RemoteEngine({self._connection.address!r}, model={self._info.model!r})"

    @property
    def info(self) -> EngineInfo:
        """What answers."""
        return self._info

    def beside(self) -> RemoteEngine:
        """The same model once more, over the same connection: both answer at the same time. It can be closed by itself
        and ends with this one. Raises EngineError where this one is closed."""
        self._check_open()
        return RemoteEngine(self._connection, self._info.model, self._info.context_length, is_shared=True)

    def _chat(
        self,
        messages: tuple[Message, ...],
        options: GenerationOptions,
        cancelled: Callable[[], bool],
        *,
        goes_on: bool,
    ) -> Answer:
        """In the chat format of the service, which is asked when the first event is: ContextFullError comes then. An
        answer goes on as vLLM and llama.cpp's server are asked to; another service may refuse, or answer anew, where
        what it only repeats is left out."""
        fields = (continued_fields if goes_on else chat_fields)(messages, options, self._info.model)
        opening = messages[-1].content if goes_on else ""
        return _RemoteAnswer(self._connection, _CHAT, fields, options, cancelled, opening)

    def _complete(self, prompt: str, options: GenerationOptions, cancelled: Callable[[], bool]) -> Answer:
        fields = completion_fields(prompt, options, self._info.model, self._info.context_length)
        return _RemoteAnswer(self._connection, _COMPLETION, fields, options, cancelled)

    def _count_tokens(self, messages: tuple[Message, ...]) -> None:
        """The service does not say."""

    def _check_options(self, options: GenerationOptions) -> None:
        option_fields(options)

    def _close(self) -> None:
        if not self._is_shared:
            self._connection.close()


def _models(connection: Connection) -> list[tuple[str, int | None]]:
    body = connection.get("/models")
    try:
        return all_models(body)
    except ValueError:
        raise connection.no_service() from None


class _RemoteAnswer(Answer):
    """The chunks of one request, as events."""

    def __init__(
        self,
        connection: Connection,
        path: str,
        fields: dict[str, Any],
        options: GenerationOptions,
        cancelled: Callable[[], bool],
        opening: str = "",
    ) -> None:
        """`opening`: what an answer that goes on says already."""
        super().__init__(cancelled)
        self._connection = connection
        self._path = path
        self._fields = fields
        self._options = options
        self._arrivals: queue.SimpleQueue[Arrival] | None = None
        self._hang_up: Callable[[], object] = lambda: None
        self._asked_at = 0.0
        self._times: list[float] = []  # when each chunk with text or thoughts came
        self._due: deque[Event] = deque()  # of one arrival, which may bring several
        self._last: Arrival | None = None  # the end, or why there is none
        self._half = ""  # of a surrogate pair, whose other half is in the next chunk
        self._thoughts = Thoughts(sought=path == _CHAT)
        self._repetition = Repetition(opening)
        self._tokens: list[int] = []
        self._thought_pieces = 0  # that were sent apart from the text
        self._untold: list[TokenLogprobs] = []  # of chunks without text; they come with the next text
        self._finish: str | None = None
        self._usage: Usage | None = None

    def _stop(self) -> None:
        self._hang_up()

    def _take(self) -> Event | None:
        if self.cancelling:
            return self._finished("cancelled")
        if self._due:
            return self._due.popleft()
        if self._last is not None:
            return self._end(self._last)
        if self._arrivals is None:
            self._asked_at = monotonic()
            self._arrivals, task = self._connection.post(self._path, self._fields)
            self._hang_up = task.cancel
        try:
            arrival = self._arrivals.get(timeout=POLL_SECONDS)
        except queue.Empty:
            return None
        chunk = arrival.chunk
        # A chunk that only names a role may come before the prompt has been read.
        begins = arrival.error is None and (chunk is None or chunk.text or chunk.reasoning or chunk.finish)
        if begins and self.received.prefilled is None:
            self._due.append(Prefilled(0, 0, arrival.seconds - self._asked_at))
        if chunk is None:
            self._last = arrival
            thought, text = self._thoughts.finish()
            self._say(thought, self._repetition.feed(text) + self._repetition.finish())
        else:
            self._read(chunk, arrival.seconds)
        return self._due.popleft() if self._due else None

    def _read(self, chunk: Chunk, seconds: float) -> None:
        self._finish = self._finish or chunk.finish
        self._usage = chunk.usage or self._usage
        if chunk.text or chunk.reasoning:
            self._times.append(seconds)
        self._thought_pieces += bool(chunk.reasoning)
        logprobs = () if chunk.reasoning else chunk.logprobs  # a thought's are none of the answer's
        self._tokens += [entry.token for entry in logprobs] or ([UNKNOWN_TOKEN] if chunk.text else [])
        if self._options.logprobs is not None:
            self._untold += logprobs
        left_out_before = self._left_out
        thought, text = self._thoughts.feed(self._whole(chunk.text))
        text = self._repetition.feed(text)
        if self._left_out and not (left_out_before and text):
            self._untold = []  # of what is no part of the answer
        self._say(chunk.reasoning + thought, text)

    def _say(self, thought: str, text: str) -> None:
        """Both are to be handed on."""
        if thought:
            self._due.append(ReasoningDelta(thought))
        if text:
            news, self._untold = tuple(self._untold), []
            self._due.append(TextDelta(text, len(self._tokens), news))

    @property
    def _left_out(self) -> bool:
        """Whether something of the service's text is no part of the answer: which tokens are is then not known."""
        return self._thoughts.found or self._repetition.found

    def _whole(self, text: str) -> str:
        """`text` with the half character that is due, without one that is not complete."""
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _end(self, arrival: Arrival) -> Finished:
        if arrival.error is not None:
            raise arrival.error
        reason = self._reason()
        if self._repetition.found and not self.received.text:
            raise ServiceError(
                "The service wrote the answer anew instead of going on, and nothing new; ask for more in a message of "
                "your own."
            )
        if self._options.grammar is not None and reason == "stop":
            check_form(self.received.text, self._options.grammar)
        return self._finished(reason)

    def _reason(self) -> FinishReason:
        """Services call a full context `length`, too."""
        match self._finish:
            case "length" | "max_tokens":
                most, usage = self._options.max_new_tokens, self._usage
                if most is None or (usage is not None and 0 < usage.new_tokens < most):
                    return "context"
                return "length"
            case "abort" | "error":
                raise ServiceError("The service broke off the answer; ask again.")
        return "stop"

    def _finished(self, reason: FinishReason) -> Finished:
        finished = self.received.finished(reason)
        usage = self._usage
        stats: Stats = replace(finished.stats, new_tokens=finished.stats.new_tokens + self._thought_pieces)
        if usage is not None:
            fed = usage.prompt_tokens - usage.cached_tokens
            stats = replace(
                stats,
                prompt_tokens=usage.prompt_tokens,
                reused_tokens=usage.cached_tokens,
                fed_tokens=fed,
                new_tokens=usage.new_tokens or stats.new_tokens,
            )
        stats = replace(
            stats,
            feeds=max(stats.new_tokens - 1, 0),
            first_token_seconds=self._times[0] - self._asked_at if self._times else None,
            decode_seconds=self._times[-1] - self._times[0] if self._times else 0.0,
        )
        known = UNKNOWN_TOKEN not in self._tokens and not self._left_out
        return replace(
            finished,
            tokens=tuple(self._tokens) if known else (),
            stats=stats,
            logprobs=(*finished.logprobs, *self._untold),
        )
