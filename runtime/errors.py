"""The errors that are the world's fault: one sentence each, what is wrong and what to do next."""

from __future__ import annotations

from models.errors import UserFacingError

__all__ = [
    "BackendUnavailableError",
    "BundleError",
    "ChatError",
    "ContextFullError",
    "EngineError",
    "ModelOutputError",
    "OptionError",
    "TokenizerError",
    "UserFacingError",
]


class BundleError(UserFacingError):
    """A bundle whose files are missing, damaged, or of a format that this program does not read."""


class BackendUnavailableError(UserFacingError):
    """A backend that this machine cannot run, with the reason."""


class ContextFullError(UserFacingError):
    """More tokens than the context has room for. Nothing was fed."""


class TokenizerError(UserFacingError):
    """Tokenizer files that are missing, damaged or of another model, or text that no tokenizer can encode."""


class ChatError(UserFacingError):
    """Messages that make no conversation: a role out of order, an empty message."""


class EngineError(UserFacingError):
    """The process or the service that runs the model failed: what happened to it, and how to go on."""


class OptionError(UserFacingError, ValueError):
    """An option outside its range, or of the wrong type."""


class ModelOutputError(UserFacingError):
    """Scores that no next token can be chosen from: the model produced NaN or infinity."""
