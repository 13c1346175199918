"""Engine: the seam between who asks and where the model runs. One contract test holds for all engines."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.arguments import check_callable, check_kind, check_text, checked_path
from runtime.chat import Message, check_continued, check_conversation, ends_with_answer
from runtime.engines.answer import Answer, CurrentAnswer
from runtime.errors import EngineError, OptionError
from runtime.events import Event
from runtime.generation import DEFAULT_OPTIONS
from runtime.grammar import check_grammar
from runtime.options import GenerationOptions
from runtime.session import never
from runtime.tokenizer import utf8

CLOSED = "The engine was closed; open it again."


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """What answers, for people and logs."""

    model: str  # the bundle's name, or the service's model
    backend: str  # `torch`, `coreml`, `reference`, or `remote`
    context_length: int | None  # tokens that prompt and answer may have together; None: the service does not say
    vocab_size: int | None = None  # ids of tokens that can be chosen are below it; None: the service does not say
    has_chat_format: bool = True  # else a conversation is continued as the text that it is


class Engine(ABC):
    """Answers conversations and continues texts. One answer at a time: asking again ends the one before.

    Answers are iterators of events with one `Finished` at the end. An answer that its engine ended, as something else
    was asked or the engine was closed, gives who reads on a `Finished` of the reason `cancelled` with what was read of
    it until then. One that its reader closed or dropped gives nothing more.

    Errors that a user can mend are raised as UserFacingError: at the call where arguments are wrong, from the iterator
    where the world fails later. Arguments of the wrong kind are refused before anything else is done: the answer in
    progress goes on. After `close` every call but `info` and `close` raises EngineError.
    """

    def __init__(self) -> None:
        self._answer = CurrentAnswer()
        self._closed = threading.Event()

    @property
    @abstractmethod
    def info(self) -> EngineInfo:
        """What answers."""

    def chat(
        self,
        messages: Sequence[Message],
        options: GenerationOptions = DEFAULT_OPTIONS,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Answer a conversation. `cancelled` is asked between tokens and between pieces of the prompt.

        Raises ChatError for messages that make no conversation, TokenizerError for text that is none, OptionError for
        options that are none or that this engine does not have, ContextFullError for more tokens than there is room.
        """
        self._check_chat(messages, options, cancelled, goes_on=False)
        return self._begun(lambda: self._chat(tuple(messages), options, cancelled, goes_on=False))

    def continue_answer(
        self,
        messages: Sequence[Message],
        options: GenerationOptions = DEFAULT_OPTIONS,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Go on with the answer that is the last of `messages`, stripped as the chat format strips it. The events tell
        what is new alone, white space before it included. The context policy keeps the answer whole.

        Raises as `chat`, and OptionError for a grammar, which binds whole answers.
        """
        self._check_chat(messages, options, cancelled, goes_on=True)
        return self._begun(lambda: self._chat(tuple(messages), options, cancelled, goes_on=True))

    def complete(
        self,
        prompt: str,
        options: GenerationOptions = DEFAULT_OPTIONS,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Event]:
        """Continue a text. Raises as `chat`."""
        self._check_completion(prompt, options, cancelled)
        return self._begun(lambda: self._complete(prompt, options, cancelled))

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Tokens of the prompt that `chat` would feed, were there room, or `continue_answer` where the last message is
        an answer; None where the service does not say.

        Raises what `chat` raises for messages that make no conversation.
        """
        self._check_open()
        check_conversation(messages, for_answer=not ends_with_answer(messages))
        return self._count_tokens(tuple(messages))

    def check_options(self, options: GenerationOptions) -> None:
        """Raise OptionError for options that are none and for those that `chat` would refuse, before anything is asked
        with them: a grammar that this engine cannot follow, a biased token that its model lacks, what it does not have.
        A service alone knows its own grammars and tokens: there it is asked with them to find out."""
        self._check_open()
        check_kind("options", options, GenerationOptions, "a GenerationOptions")
        self._check_options(options)

    def close(self) -> None:
        """Give back memory, files and processes. Harmless when repeated; no other call may follow."""
        self._closed.set()  # before anything else: who waits in another thread looks here
        self._answer.end()
        self._close()

    @abstractmethod
    def _chat(
        self,
        messages: tuple[Message, ...],
        options: GenerationOptions,
        cancelled: Callable[[], bool],
        *,
        goes_on: bool,
    ) -> Answer:
        """The answer to a conversation, or what more its last message has to say. The one before has ended."""

    @abstractmethod
    def _complete(self, prompt: str, options: GenerationOptions, cancelled: Callable[[], bool]) -> Answer:
        """The continuation of a text, as `_chat`."""

    @abstractmethod
    def _count_tokens(self, messages: tuple[Message, ...]) -> int | None:
        """What `count_tokens` says."""

    @abstractmethod
    def _check_options(self, options: GenerationOptions) -> None:
        """Raise OptionError for those that this engine is known to refuse."""

    @abstractmethod
    def _close(self) -> None:
        """Give everything back. Harmless when repeated."""

    def _check_chat(
        self,
        messages: Sequence[Message],
        options: GenerationOptions,
        cancelled: Callable[[], bool],
        *,
        goes_on: bool,
    ) -> None:
        """Raise what `chat` or `continue_answer` says of arguments that are wrong whatever the model is."""
        self._check_open()
        (check_continued if goes_on else check_conversation)(messages)
        _check_ways(options, cancelled)
        if goes_on and options.grammar is not None:
            raise OptionError("A grammar binds a whole answer: one that goes on cannot have it; ask anew.")

    def _check_completion(self, prompt: str, options: GenerationOptions, cancelled: Callable[[], bool]) -> None:
        """Raise what `complete` says of such arguments."""
        self._check_open()
        utf8(prompt)
        _check_ways(options, cancelled)

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise EngineError(CLOSED)

    def _begun(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` gives, as the one answer in progress."""
        self._answer.end()
        answer = ask()
        self._answer.begin(answer)
        if self._closed.is_set():  # by another thread, which may have missed this answer
            answer.end()
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BundleEngine(Engine):
    """An engine whose model is a bundle on this machine. It can keep a conversation's state on disk."""

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that `chat` would feed, were there room. Raises as Engine.count_tokens."""
        count = super().count_tokens(messages)
        assert count is not None
        return count

    @abstractmethod
    def _count_tokens(self, messages: tuple[Message, ...]) -> int:
        """What `count_tokens` says."""

    def _check_options(self, options: GenerationOptions) -> None:
        check_for_bundle(options, self)

    def save_session(self, file: str | Path) -> int:
        """Keep what was read and written last in `file`, for `restore_session`: one file a conversation, saved after an
        answer. An answer in progress ends. Returns the tokens held; 0, and no file, where nothing is. Raises
        SessionFileError where the file cannot be written; an older one is whole, then.
        """
        return self._save_session(self._session_path(file))

    def restore_session(self, file: str | Path) -> int:
        """Hold what `file` keeps: the conversation goes on as if it had never been away. An answer in progress ends.
        Returns the tokens held.

        Raises SessionFileError for a file that is missing, damaged, newer than this program or saved with another
        bundle. Nothing is lost, then, but time: asked to go on, the engine reads the conversation again.
        """
        return self._restore_session(self._session_path(file))

    @abstractmethod
    def _save_session(self, file: Path) -> int:
        """What `save_session` does."""

    @abstractmethod
    def _restore_session(self, file: Path) -> int:
        """What `restore_session` does."""

    def _session_path(self, file: object) -> Path:
        self._check_open()
        path = checked_path("file", file)
        self._answer.end()
        return path


def checked_opening(folder: object, **choices: str | None) -> Path:
    """The path of a bundle that is opened with `choices`. Raises OptionError for what is neither path nor text."""
    for name, choice in choices.items():
        check_text(name, choice, optional=True)
    return checked_path("folder", folder)


def _check_ways(options: object, cancelled: object) -> None:
    check_kind("options", options, GenerationOptions, "a GenerationOptions")
    check_callable("cancelled", cancelled)


def check_for_bundle(options: GenerationOptions, engine: Engine) -> None:
    """Raise OptionError for options that `engine`, which runs a bundle, would refuse."""
    if options.grammar is not None:
        check_grammar(options.grammar)
    if options.sampling.logit_bias:  # else nobody need wait until a model in another process is loaded
        vocab_size = engine.info.vocab_size
        assert vocab_size is not None
        options.sampling.check_vocabulary(vocab_size)
