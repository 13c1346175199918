"""The form that an answer is bound to: OpenAI's response_format, vLLM's structured_outputs and guided_*."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runtime.options import Grammar
from runtime.serving.errors import RefusalError
from runtime.serving.fields import Fields


def read_grammar(fields: Fields) -> Grammar | None:
    """The one grammar that `fields` ask for, in whichever of the ways; None for free text. Raises RefusalError."""
    found = dict.fromkeys((*_response_format(fields), *_structured(fields), *_guided(fields)))
    if len(found) > 1:
        raise RefusalError("The request binds the answer in two ways; keep one of them.", code="invalid_value")
    return next(iter(found), None)


def _response_format(fields: Fields) -> Iterator[Grammar]:
    form = fields.object("response_format")
    if form is None or form.get("type") == "text":
        return
    match form.get("type"):
        case "json_object":
            yield _schema(form.get("schema", {"type": "object"}), form.name("schema"))  # llama.cpp's way to say which
        case "json_schema":
            described = form.object("json_schema")
            if described is None or "schema" not in described:
                raise form.wrong("json_schema", 'an object such as {"name": "answer", "schema": {"type": "object"}}')
            yield _schema(described["schema"], described.name("schema"))
        case _:
            raise form.wrong("type", "text, json_object or json_schema")


def _structured(fields: Fields) -> Iterator[Grammar]:
    asked = fields.object("structured_outputs")
    for name in asked or ():
        assert asked is not None
        match name:
            case "regex":
                yield _regex(asked, name)
            case "json":
                yield _schema(asked[name], asked.name(name))
            case "json_object" if asked.flag(name):
                yield _schema({"type": "object"}, asked.name(name))
            case "choice" | "grammar" | "structural_tag":
                place = asked.name(name)
                raise RefusalError(
                    f"{place} cannot be followed: json and regex are what binds answers here; use one of them.",
                    param=place,
                    code="unsupported_parameter",
                )


def _guided(fields: Fields) -> Iterator[Grammar]:
    if "guided_regex" in fields:
        yield _regex(fields, "guided_regex")
    if "guided_json" in fields:
        yield _schema(fields["guided_json"], "guided_json")


def _regex(fields: Fields, name: str) -> Grammar:
    text = fields.text(name)
    if not text:
        raise fields.wrong(name, "a regular expression")
    return Grammar(kind="regex", text=text)


def _schema(schema: Any, place: str) -> Grammar:
    """`schema` is an object, or JSON of one, as vLLM takes both."""
    if isinstance(schema, str):
        return Grammar(kind="json_schema", text=schema)
    if not isinstance(schema, dict | bool):
        raise RefusalError(
            f'{place} must be a JSON schema, such as {{"type": "object"}}.', param=place, code="invalid_type"
        )
    try:
        return Grammar(kind="json_schema", text=json.dumps(schema, ensure_ascii=False))
    except RecursionError:
        raise RefusalError(f"{place} is nested too deep; simplify it.", param=place, code="invalid_value") from None
