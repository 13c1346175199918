"""Refusals: why a request has no answer, in the form of OpenAI's API: a status, and a sentence in an error object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from runtime.errors import (
    ChatError,
    ContextFullError,
    CoreMLError,
    DeviceMemoryError,
    EngineError,
    OptionError,
    TokenizerError,
    UserFacingError,
)
from runtime.sampling import SamplingConfig

_SAMPLING = frozenset(field.name for field in fields(SamplingConfig))  # the same names as in requests
_RETRY_SECONDS = 2  # told to clients that came when there was no room
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class RefusalError(Exception):
    """One request is not answered, or no further. `param` names the field that is wrong, `code` is for programs."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param
        self.code = code
        self.headers = headers

    def body(self) -> dict[str, Any]:
        """What is sent, as an answer of its own or in the midst of a stream."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def busy(waiting: int) -> RefusalError:
    """More answers wait than are let in."""
    return RefusalError(
        f"{waiting} answers wait for their turn already; ask again in a moment.",
        status=429,
        code="rate_limit_exceeded",
        headers={"Retry-After": str(_RETRY_SECONDS)},
    )


def stopping() -> RefusalError:
    """The server ends."""
    return RefusalError("The server is shutting down; ask again when it is back.", status=503, code="shutting_down")


def bug() -> RefusalError:
    """What the server's log tells more about."""
    return RefusalError(
        "The server met a bug of its own; its error output tells more.", status=500, code="internal_error"
    )


def refusal_of(error: UserFacingError) -> RefusalError:
    """What the engine refused or failed at."""
    match error:
        case ContextFullError():
            return RefusalError(str(error), code="context_length_exceeded")
        case OptionError():
            first = str(error).partition(" ")[0]  # of a sentence about a field its name
            return RefusalError(str(error), param=first if first in _SAMPLING else None, code="invalid_value")
        case ChatError():
            return RefusalError(str(error), param="messages", code="invalid_value")
        case TokenizerError():
            return RefusalError(str(error), code="invalid_value")
        case CoreMLError() | DeviceMemoryError() | EngineError():
            return RefusalError(str(error), status=503, code="engine_unavailable")
    return RefusalError(str(error), status=500, code="engine_failed")
