"""The errors that are the world's fault: one sentence each, what is wrong and what to do next."""

from __future__ import annotations

import sys

try:
    from models.errors import UserFacingError
except ModuleNotFoundError as _error:  # a models.py is a common name, and a script's folder comes first
    if _error.name != "models.errors":
        raise
    _found = getattr(sys.modules["models"], "__file__", None) or "another of that name"
    raise ImportError(f"Falconet's package `models` is hidden by {_found}; rename that.", name="models") from None

__all__ = [
    "BackendUnavailableError",
    "BundleError",
    "ChatError",
    "ContextFullError",
    "DeviceMemoryError",
    "EngineError",
    "KeyRefusedError",
    "MachineMemoryError",
    "ModelOutputError",
    "OptionError",
    "ProcessEndedError",
    "ProcessKilledError",
    "ServiceBusyError",
    "ServiceError",
    "ServiceUnreachableError",
    "SessionFileError",
    "TokenizerError",
    "UserFacingError",
]


class BundleError(UserFacingError):
    """A bundle whose files are missing, damaged, or of a format that this program does not read."""


class BackendUnavailableError(UserFacingError):
    """A backend that this machine cannot run, with the reason."""


class CoreMLError(UserFacingError):
    """What Core ML refused to load, or failed to compute, in its own words."""


class DeviceMemoryError(UserFacingError):
    """A card's memory that is full. Nothing was fed."""


class ContextFullError(UserFacingError):
    """More tokens than the context has room for. Nothing was fed."""


class TokenizerError(UserFacingError):
    """Tokenizer files that are missing, damaged or of another model, or text that no tokenizer can encode."""


class ChatError(UserFacingError):
    """Messages that make no conversation: a role out of order, an empty message."""


class EngineError(UserFacingError):
    """The process or the service that runs the model failed: what happened to it, and how to go on."""


class ProcessEndedError(EngineError):
    """The process that runs the model ended: it crashed, or was ended as it hung."""


class ProcessKilledError(ProcessEndedError):
    """The process that runs the model was killed from outside, which systems do when memory runs out."""


class MachineMemoryError(EngineError):
    """The machine's memory ran out, and the process that runs the model lives."""


class ServiceError(EngineError):
    """A remote service failed, refused, or is none."""


class ServiceUnreachableError(ServiceError):
    """There is no connection to a remote service, or it broke."""


class ServiceBusyError(ServiceError):
    """A remote service wants to be asked later: it has too much to do, or is not ready yet."""


class KeyRefusedError(ServiceError):
    """A remote service takes no key like the one that it was given, or wants one."""


class OptionError(UserFacingError, ValueError):
    """An option outside its range, or of the wrong type."""


class ModelOutputError(UserFacingError):
    """Scores that no next token can be chosen from: the model produced NaN or infinity."""


class SessionFileError(UserFacingError):
    """A saved session that is missing, damaged, newer than this program or another bundle's, or cannot be written.
    Nothing is lost but time: the conversation is read again."""
