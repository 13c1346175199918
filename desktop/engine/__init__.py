"""The model beside the window: loaded, asked and stopped without the window ever waiting for it."""

from desktop.engine.events import AnswerEnd, AnswerProgress, EngineStatus
from desktop.engine.host import EngineHost
from desktop.engine.safe_start import SafeStart
from desktop.engine.sources import EMBEDDED, EmbeddedModel, LocalModel, RemoteModel, Source

__all__ = [
    "EMBEDDED",
    "AnswerEnd",
    "AnswerProgress",
    "EmbeddedModel",
    "EngineHost",
    "EngineStatus",
    "LocalModel",
    "RemoteModel",
    "SafeStart",
    "Source",
]
