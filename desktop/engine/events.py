"""What the engine's host tells the window: frozen records, whole each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from desktop.engine.sources import RemoteModel, Source
from desktop.store.records import Dropped, Figures
from runtime import EngineInfo, Prefilled

StatusKind = Literal["none", "loading", "ready", "answering", "failed", "unloaded"]
"""`none`: nothing was chosen yet; `unloaded`: the user gave its memory back, and the next question loads it again."""


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """How the engine is. `sentence` is for people: what is being done, or why it failed and what to do next."""

    kind: StatusKind
    source: Source | None = None
    sentence: str = ""
    seconds: int = 0  # whole ones, that loading has taken so far, or took
    elsewhere: bool = False  # it failed, and would again unless it is computed on another device
    info: EngineInfo | None = None  # once it was loaded
    preparing: bool = False  # it loads, and its bundle is made first
    percent: int | None = None  # of that bundle, once it is known

    @property
    def writer(self) -> str | None:
        """Whose answers these are: a model's name, which a service that was not told one tells once it is asked."""
        if isinstance(self.source, RemoteModel):
            return self.info.model if self.info is not None else self.source.model or self.source.name
        return None if self.source is None else self.source.name


@dataclass(frozen=True, kw_only=True)
class AnswerProgress:
    """An answer so far. `text` is all of it; with `prefilled` the prompt was read. `reasoning` is all that was thought
    before it, `thinking` for how many whole seconds the model has been at that; None while it is not."""

    request: int
    text: str = ""
    reasoning: str = ""
    thinking: int | None = None
    prefilled: Prefilled | None = None
    dropped: Dropped | None = None
    tokens: int = 0  # written by the model


@dataclass(frozen=True, kw_only=True)
class AnswerEnd:
    """An answer's end. `text` is all that was written, also where it failed, `reasoning` what was thought before it.

    `interrupted`: stopped by the user (`figures` say `cancelled`), or by unloading the model or leaving (no figures);
    `failed`: `error` is a sentence that says why.
    """

    request: int
    text: str
    state: Literal["complete", "failed", "interrupted"]
    figures: Figures | None = None
    dropped: Dropped | None = None
    error: str | None = None
    model: str | None = None  # who wrote it, where it came to its end
    tokens: tuple[int, ...] = ()  # the ids that the model wrote: given back in a Message they are not read again
    reasoning: str = ""
