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
    from runtime.embedded import embedded_bundle as embedded_bundle
    from runtime.embedded import embedded_folder as embedded_folder
    from runtime.engines.base import Engine as Engine
    from runtime.engines.base import EngineInfo as EngineInfo
    from runtime.engines.batch import BatchEngine as BatchEngine
    from runtime.engines.local import LocalEngine as LocalEngine
    from runtime.engines.process import ProcessEngine as ProcessEngine
    from runtime.engines.queue import Ticket as Ticket
    from runtime.engines.remote import RemoteEngine as RemoteEngine
    from runtime.errors import BackendUnavailableError as BackendUnavailableError
    from runtime.errors import ContextFullError as ContextFullError
    from runtime.errors import CoreMLError as CoreMLError
    from runtime.errors import DeviceMemoryError as DeviceMemoryError
    from runtime.errors import EngineError as EngineError
    from runtime.errors import UserFacingError as UserFacingError
    from runtime.events import Event as Event
    from runtime.events import Finished as Finished
    from runtime.events import Prefilled as Prefilled
    from runtime.events import ReasoningDelta as ReasoningDelta
    from runtime.events import TextDelta as TextDelta
    from runtime.events import Trimmed as Trimmed
    from runtime.generation import generate as generate
    from runtime.launch import module_command as module_command
    from runtime.launch import run_module as run_module
    from runtime.measure.memory import Memory as Memory
    from runtime.measure.memory import machine_memory as machine_memory
    from runtime.measure.needs import Needs as Needs
    from runtime.measure.needs import memory_needs as memory_needs
    from runtime.options import GenerationOptions as GenerationOptions
    from runtime.options import Grammar as Grammar
    from runtime.packages import check_exporter as check_exporter
    from runtime.packages import check_python as check_python
    from runtime.packages import install_command as install_command
    from runtime.packages import missing_package as missing_package
    from runtime.repository import is_repository as is_repository
    from runtime.sampling import SamplingConfig as SamplingConfig
    from runtime.sampling import TokenLogprobs as TokenLogprobs
    from runtime.session import Session as Session
    from runtime.tokenizer import Tokenizer as Tokenizer
    from runtime.version import program_version as program_version
    from runtime.whole import replaceable as replaceable
    from runtime.whole import write_whole as write_whole

_HOMES = {
    "BackendUnavailableError": "runtime.errors",
    "BatchEngine": "runtime.engines.batch",
    "Bundle": "runtime.bundle",
    "ChatTemplate": "runtime.chat",
    "ContextFullError": "runtime.errors",
    "CoreMLError": "runtime.errors",
    "DeviceMemoryError": "runtime.errors",
    "Engine": "runtime.engines.base",
    "EngineError": "runtime.errors",
    "EngineInfo": "runtime.engines.base",
    "Event": "runtime.events",
    "Finished": "runtime.events",
    "GenerationOptions": "runtime.options",
    "Grammar": "runtime.options",
    "LocalEngine": "runtime.engines.local",
    "Memory": "runtime.measure.memory",
    "Message": "runtime.chat",
    "Needs": "runtime.measure.needs",
    "Prefilled": "runtime.events",
    "ProcessEngine": "runtime.engines.process",
    "ReasoningDelta": "runtime.events",
    "RemoteEngine": "runtime.engines.remote",
    "SamplingConfig": "runtime.sampling",
    "Session": "runtime.session",
    "TextDelta": "runtime.events",
    "Ticket": "runtime.engines.queue",
    "TokenLogprobs": "runtime.sampling",
    "Tokenizer": "runtime.tokenizer",
    "Trimmed": "runtime.events",
    "UserFacingError": "runtime.errors",
    "check_exporter": "runtime.packages",
    "check_python": "runtime.packages",
    "embedded_bundle": "runtime.embedded",
    "embedded_folder": "runtime.embedded",
    "generate": "runtime.generation",
    "install_command": "runtime.packages",
    "is_repository": "runtime.repository",
    "machine_memory": "runtime.measure.memory",
    "memory_needs": "runtime.measure.needs",
    "missing_package": "runtime.packages",
    "module_command": "runtime.launch",
    "program_version": "runtime.version",
    "replaceable": "runtime.whole",
    "run_module": "runtime.launch",
    "write_whole": "runtime.whole",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'runtime' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
