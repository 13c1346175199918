"""What an OpenAI-compatible service says: chunks of an answer, refusals and models, as values of ours."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from runtime.errors import ContextFullError, KeyRefusedError, ServiceBusyError, ServiceError, UserFacingError
from runtime.options import Grammar
from runtime.sampling import TokenLogprobs

UNKNOWN_TOKEN = -1  # where a service names a token by its text alone
_DIGITS = 9  # of a time in seconds that is one
_LONG_SECONDS = 120  # from here on told in minutes
_SHOWN = 300  # characters of a service's message
_MOST = 2**53  # of what is counted; more is no count, and no number of JSON's either
_LEAST_LOGPROB = -9_999.0  # stands for no chance at all, as in OpenAI's API: JSON has no infinity
# How services refuse an answer that is to go on: strict ones by the fields' names, llama.cpp and Anthropic, Mistral.
_NOT_ON = re.compile(
    r"continue_final_message|add_generation_prompt|assistant\b.*\bprefill|expected last role", re.IGNORECASE
)
_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")  # in a sentence they could command a terminal


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens, as the service counted them."""

    prompt_tokens: int
    cached_tokens: int
    new_tokens: int


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of an answer. Empty pieces are common: the first names a role, the last counts."""

    text: str = ""
    reasoning: str = ""  # what the model thinks before it answers, where the service sends that apart
    logprobs: tuple[TokenLogprobs, ...] = ()
    finish: str | None = None  # the service's finish_reason
    usage: Usage | None = None
    empty: bool = False  # it has no choice: usage alone, or what some services send before the answer


def read_chunk(data: str) -> Chunk:
    """The chunk of one event. Raises ValueError for what is none, a UserFacingError for an error told in the stream."""
    try:
        body = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(body, dict):
        raise ValueError("no object")  # noqa: TRY004  (the world's data, not a caller's)
    if body.get("error"):
        raise _told(body)
    choices = body.get("choices")
    usage = _usage(body.get("usage"))
    if not choices:
        if choices is None and usage is None:
            raise ValueError("no choices")
        return Chunk(usage=usage, empty=True)
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise ValueError("choices that are none")  # noqa: TRY004
    choice = choices[0]
    part = choice.get("delta") or choice.get("message") or choice
    text = part.get("content") if part is not choice else choice.get("text")
    if not isinstance(text, str | None):
        raise ValueError("a text that is none")  # noqa: TRY004
    finish = choice.get("finish_reason")
    return Chunk(
        text=text or "",
        reasoning=_reasoning(part) if part is not choice else "",
        logprobs=_logprobs(choice.get("logprobs")),
        finish=str(finish) if finish else None,
        usage=usage,
    )


def _reasoning(part: Mapping[str, Any]) -> str:
    """DeepSeek, llama.cpp, LM Studio and vLLM before 0.16 call it `reasoning_content`, OpenRouter and vLLM `reasoning`;
    some send both."""
    found = (part.get(name) for name in ("reasoning_content", "reasoning"))
    return next((text for text in found if isinstance(text, str) and text), "")


def all_models(body: object) -> list[tuple[str, int | None]]:
    """Name and context length, where it is told, of each model of GET /models. Raises ValueError for no list,
    ServiceError for one of nothing."""
    models = body.get("data") if isinstance(body, dict) else None
    if not isinstance(models, list):
        raise ValueError("no list of models")  # noqa: TRY004
    if not models:
        raise ServiceError("The service offers no model; load one there and ask again.")
    return [_model(model) for model in models]


def _model(model: object) -> tuple[str, int | None]:
    if not isinstance(model, dict) or not isinstance(model.get("id"), str) or not model["id"]:
        raise ValueError("a model without a name")
    length = model.get("max_model_len") or model.get("context_length")  # vLLM, SGLang; others
    return model["id"], _count(length) or None


def refusal(status: int, body: bytes, address: str, headers: Mapping[str, str]) -> UserFacingError:
    """The sentence for an HTTP status that is not 200."""
    try:
        told = _message(json.loads(body))
        code = _code(json.loads(body))
    except (ValueError, RecursionError):
        told = code = ""
    said = f" ({told})" if told else ""
    match status:
        case 401:
            return KeyRefusedError(
                f"{address} refused the API key{said}; give a valid one.",
                option=" (api_key; on the command line, FALCONET_API_KEY)",
            )
        case 403:  # the key is known: a region, a model that it may not use, a filter
            if told:
                return ServiceError(f"{address} forbids this{said}; check what this account may use, and from where.")
            return ServiceError(
                f"{address} forbids this without saying why; check the key and what its account may use, and whether "
                "a firewall or proxy answers in its place."
            )
        case 404 | 405:
            return ServiceError(
                f"{address} has no such model or path{said}; check the model's name and that the address ends as the "
                "service says, often in /v1."
            )
        case 429 | 503:
            when = _when(headers.get("retry-after", "").strip())
            return ServiceBusyError(f"{address} asks to wait{said}; ask again {when}.")
    if status in (400, 422) and _NOT_ON.search(told):
        return ServiceError(f"{address} cannot go on with an answer{said}; ask for more in a message of your own.")
    if status in (400, 413, 422) and (code == "context_length_exceeded" or "context length" in told.lower()):
        return ContextFullError(f"The conversation is too long for {address}{said}; shorten it.")
    if 300 <= status < 400:
        target = headers.get("location", "").partition("?")[0]
        return ServiceError(f"{address} redirects to {target or 'another address'}; use that address.")
    if status >= 500:
        return ServiceError(f"{address} failed with HTTP status {status}{said}; look at its log, or ask again later.")
    return ServiceError(f"{address} refused the request with HTTP status {status}{said}; change what it names.")


def _when(after: str) -> str:
    """What a Retry-After header says, seconds or a date (RFC 9110, section 10.2.3), for people."""
    if after.isascii() and after.isdigit() and len(after) < _DIGITS:
        seconds = int(after)
    else:
        try:
            seconds = math.ceil(parsedate_to_datetime(after).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError, OSError):
            return "later"
    return f"in {max(seconds, 1)} s" if seconds < _LONG_SECONDS else f"in {math.ceil(seconds / 60)} min"


def check_form(text: str, grammar: Grammar) -> None:
    """ServiceError where a finished answer has not the form that was asked for: services ignore much."""
    if grammar.kind == "json_schema":
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            raise ServiceError(
                "The service did not keep to the JSON schema; it seems not to know response_format: leave the grammar "
                "out, or use another service."
            ) from None
        return
    try:
        kept = re.fullmatch(grammar.text, text.strip(), re.DOTALL) or re.fullmatch(grammar.text, text, re.DOTALL)
    except re.error:
        return  # the service's dialect is another one
    if not kept:
        raise ServiceError(
            "The service did not keep to the regular expression, which vLLM alone is known to do; leave the grammar "
            "out, or use another service."
        )


def _told(body: dict[str, Any]) -> UserFacingError:
    message, code = _message(body), _code(body)
    if code == "context_length_exceeded":
        return ContextFullError(f"The conversation is too long for the service ({message}); shorten it.")
    return ServiceError(f"The service broke off the answer ({message or 'it gave no reason'}); ask again.")


def _message(body: object) -> str:
    """What a body says, in OpenAI's, vLLM's, TGI's or FastAPI's form, on one line."""
    found: object = body
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    text = " ".join(str(found).translate(_CONTROL).split()).rstrip(".") if isinstance(found, str | list) else ""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _code(body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    holder = error if isinstance(error, dict) else body
    return str(holder.get("code") or holder.get("type") or "") if isinstance(holder, dict) else ""


def _usage(data: object) -> Usage | None:
    if not isinstance(data, dict):
        return None
    details = data.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    counts = [data.get("prompt_tokens"), cached, data.get("completion_tokens")]
    prompt, reused, new = map(_count, counts)
    return Usage(prompt_tokens=prompt, cached_tokens=min(reused, prompt), new_tokens=new)


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < _MOST else 0


def _logprobs(data: object) -> tuple[TokenLogprobs, ...]:
    """In the form of chats (`content`) or of completions (`tokens`, `token_logprobs`, `top_logprobs`)."""
    if not isinstance(data, dict):
        return ()
    if isinstance(data.get("content"), list):
        return tuple(
            TokenLogprobs(
                _token(entry),
                _logprob(entry["logprob"]),
                tuple((_token(other), _logprob(other["logprob"])) for other in entry.get("top_logprobs") or ()),
            )
            for entry in data["content"]
        )
    tokens, values = data.get("tokens") or [], data.get("token_logprobs") or []
    tops = data.get("top_logprobs") or [None] * len(tokens)
    return tuple(
        TokenLogprobs(
            _token({"token": token}),
            _logprob(value or 0),
            tuple((_token({"token": name}), _logprob(logprob)) for name, logprob in _ranked(top)),
        )
        for token, value, top in zip(tokens, values, tops, strict=False)
    )


def _logprob(value: Any) -> float:
    """Raises ValueError, OverflowError and TypeError for what is no number."""
    number = float(value)
    if math.isnan(number):
        raise ValueError("a log-probability that is none")
    return min(max(number, _LEAST_LOGPROB), -_LEAST_LOGPROB)


def _ranked(top: object) -> list[tuple[str, float]]:
    return sorted(top.items(), key=lambda item: -item[1]) if isinstance(top, dict) else []


def _token(entry: Mapping[str, Any]) -> int:
    """A token's id: llama.cpp's `id`, or the form of vLLM's return_tokens_as_token_ids, `token_id:123`."""
    if type(entry.get("id")) is int and 0 <= entry["id"] < _MOST:
        return int(entry["id"])
    found = re.fullmatch(r"token_id:(\d{1,15})", str(entry.get("token", "")))
    return int(found[1]) if found else UNKNOWN_TOKEN
