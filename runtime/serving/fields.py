"""Fields: a request's JSON object, read field by field. What is of the wrong kind is refused by its name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.arguments import shown
from runtime.serving.errors import RefusalError


def read_fields(body: bytes) -> Fields:
    """The object in `body`. Raises RefusalError for what is no JSON object."""
    try:
        found = json.loads(body)
    except RecursionError:
        raise RefusalError("The request's body is nested too deeply; flatten it.", code="invalid_json") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RefusalError(
            f"The request's body is not JSON ({_one_line(error)}); correct it.", code="invalid_json"
        ) from None
    except ValueError:  # the only other that json raises
        raise RefusalError(
            "The request's body has a number of thousands of digits; shorten it.", code="invalid_json"
        ) from None
    if not isinstance(found, dict):
        raise RefusalError("The request's body must be a JSON object.", code="invalid_json")
    return Fields(found)


class Fields(Mapping[str, Any]):
    """A JSON object. A field that is null counts as one that is not there, as clients send both."""

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        """`place` is where the object lies in the request, before the names of its fields in sentences."""
        self._values = {name: value for name, value in values.items() if value is not None}
        self._place = place

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def name(self, field: str) -> str:
        """What sentences call `field`."""
        return f"{self._place}.{field}" if self._place else field

    def text(self, field: str) -> str | None:
        """A text."""
        value = self.get(field)
        if not isinstance(value, str | None):
            raise self.wrong(field, "a text")
        return value

    def number(self, field: str) -> float | None:
        """A number."""
        value = self.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise self.wrong(field, "a number")
        return value

    def whole(self, field: str, *, least: int = 0, most: int | None = None) -> int | None:
        """A whole number from `least` to `most`."""
        value = self.get(field)
        wanted = f"{least} or more" if most is None else f"{least} to {most}"
        if value is not None and (type(value) is not int or value < least or (most is not None and value > most)):
            raise self.wrong(field, f"a whole number, {wanted}")
        return value

    def flag(self, field: str) -> bool:
        """True or false; false where it is not there."""
        value = self.get(field)
        if not isinstance(value, bool | None):
            raise self.wrong(field, "true or false")
        return bool(value)

    def object(self, field: str) -> Fields | None:
        """An object."""
        value = self.get(field)
        if not isinstance(value, dict | None):
            raise self.wrong(field, "an object")
        return None if value is None else Fields(value, self.name(field))

    def texts(self, field: str) -> tuple[str, ...]:
        """A text or a list of texts; none where it is not there."""
        value: Any = self.get(field, ())
        values: Sequence[Any] = (value,) if isinstance(value, str) else value
        if not isinstance(values, list | tuple) or not all(isinstance(text, str) for text in values):
            raise self.wrong(field, "a text or a list of texts")
        return tuple(values)

    def wrong(self, field: str, wanted: str) -> RefusalError:
        """The refusal of a field that is not what it must be."""
        name = self.name(field)
        value = self.get(field)
        said = json.dumps(value) if isinstance(value, bool) else shown(value)  # as it was sent, not as Python has it
        return RefusalError(f"{name} must be {wanted}, not {said}.", param=name, code="invalid_type")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
