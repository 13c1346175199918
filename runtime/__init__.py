"""The library that runs Falcon bundles.

A name is imported when it is first used: `import runtime` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.bundle import Bundle as Bundle
    from runtime.chat import ChatTemplate as ChatTemplate
    from runtime.chat import Message as Message
    from runtime.engine import LocalEngine as LocalEngine
    from runtime.errors import UserFacingError as UserFacingError
    from runtime.generation import Finished as Finished
    from runtime.generation import Prefilled as Prefilled
    from runtime.generation import TextDelta as TextDelta
    from runtime.generation import generate as generate
    from runtime.sampling import SamplingConfig as SamplingConfig
    from runtime.session import Session as Session
    from runtime.tokenizer import Tokenizer as Tokenizer

_HOMES = {
    "Bundle": "runtime.bundle",
    "ChatTemplate": "runtime.chat",
    "Finished": "runtime.generation",
    "LocalEngine": "runtime.engine",
    "Message": "runtime.chat",
    "Prefilled": "runtime.generation",
    "SamplingConfig": "runtime.sampling",
    "Session": "runtime.session",
    "TextDelta": "runtime.generation",
    "Tokenizer": "runtime.tokenizer",
    "UserFacingError": "runtime.errors",
    "generate": "runtime.generation",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'runtime' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
