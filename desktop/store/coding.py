"""Options and figures as JSON, field by field: what is unknown is kept, what cannot be used has its default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from functools import lru_cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from desktop.store.records import Dropped, Figures
from runtime import GenerationOptions, Grammar, SamplingConfig, UserFacingError

R = TypeVar("R", Figures, Dropped)

_HINTS: dict[object, dict[str, Any]] = {kind: get_type_hints(kind) for kind in (Figures, Dropped)}
"""Read once: it takes long, and files of chats have many messages."""


def options_to_json(options: GenerationOptions, earlier: str = "{}") -> str:
    """Options as JSON text. Fields of `earlier` that this program does not know, a newer one's, stay in it."""
    return json.dumps(_merged(_object(earlier), options_to_dict(options)), ensure_ascii=False)


def options_to_dict(options: GenerationOptions) -> dict[str, Any]:
    """Options as plain values by field."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    sampling, grammar = options.sampling, options.grammar
    values["sampling"] = {field.name: getattr(sampling, field.name) for field in fields(sampling)}
    values["sampling"]["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    values["stop"] = list(options.stop)
    values["grammar"] = None if grammar is None else {"kind": grammar.kind, "text": grammar.text}
    return values


@lru_cache(maxsize=512)  # options are frozen, and most chats have the same ones
def options_from_json(text: str) -> GenerationOptions:
    """Options from JSON text. A field that is unknown or no longer valid has its default; nothing is raised."""
    return options_from_dict(_object(text))


def options_from_dict(values: Mapping[str, Any]) -> GenerationOptions:
    """Options from plain values by field. A field that is unknown or no longer valid has its default."""
    sampling = SamplingConfig()
    given = values.get("sampling")
    for name, value in (given if isinstance(given, Mapping) else {}).items():
        sampling = _with_sampling(sampling, name, value)
    options = GenerationOptions(sampling=sampling)
    for name, value in values.items():
        options = _with_option(options, name, value)
    return options


def _with_sampling(sampling: SamplingConfig, name: str, value: Any) -> SamplingConfig:
    if name not in {field.name for field in fields(sampling)}:
        return sampling
    try:
        if name == "logit_bias":
            value = {int(token): bias for token, bias in value.items()}
        return replace(sampling, **{name: value})
    except (UserFacingError, ValueError, TypeError, AttributeError):  # of another type, or out of today's range
        return sampling


def _with_option(options: GenerationOptions, name: str, value: Any) -> GenerationOptions:
    if name == "sampling" or name not in {field.name for field in fields(options)}:
        return options
    try:
        if name == "grammar" and value is not None:
            value = Grammar(kind=value["kind"], text=value["text"])
        return replace(options, **{name: value})
    except (UserFacingError, ValueError, TypeError, KeyError):
        return options


def record_to_json(record: Figures | Dropped | None) -> str | None:
    """Figures, or what was dropped, as JSON text."""
    return None if record is None else json.dumps(asdict(record))


def record_from_json(kind: type[R], text: str | None) -> R | None:
    """The record in a JSON text; None where there is none that this program can read."""
    return None if text is None else record_from_dict(kind, _object(text))


def record_from_dict(kind: type[R], values: object) -> R | None:
    """The record in plain values by field; None where a field is missing or of another type."""
    hints = _HINTS[kind]
    if not isinstance(values, Mapping) or not all(_fits(values.get(name), hint) for name, hint in hints.items()):
        return None
    given: dict[str, Any] = {name: values.get(name) for name in hints}
    return kind(**given)


def _fits(value: object, hint: Any) -> bool:
    kinds = get_args(hint) if get_origin(hint) else (hint,)
    if float in kinds:
        kinds = (*kinds, int)
    return not isinstance(value, bool) and isinstance(value, kinds)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # a damaged row that was rescued; its chat is worth more than its settings
        return {}
    return value if isinstance(value, dict) else {}


def _merged(earlier: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    merged = earlier | now
    if isinstance(earlier.get("sampling"), dict):
        merged["sampling"] = earlier["sampling"] | now["sampling"]
    return merged
