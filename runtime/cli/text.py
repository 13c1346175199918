"""Text from outside. Arguments and input are UTF-8, whatever the locale says; they may hold any bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import BinaryIO

from runtime.bounded import read_stream
from runtime.errors import OptionError, TokenizerError
from runtime.sizes import data_size

_LONGEST_LINE = 64_000_000  # bytes; no context holds a turn that comes near

# Anybody can write any byte: on a terminal, codes that would move the cursor or change settings are shown as symbols.
_VISIBLE = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_VISIBLE |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def visible(text: str) -> str:
    """`text` as a terminal may show it: what would move the cursor or change settings as symbols."""
    return text.translate(_VISIBLE)


def reason(error: Exception) -> str:
    """Why a file cannot be read or written, as words within a sentence."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said[:1].lower() + said[1:]


def argument_text(option: str, value: str) -> str:
    """`value` of an argument; its bytes are read anew where Python took them for another encoding's.

    Raises OptionError, which names `option`, for bytes that are no UTF-8.
    """
    try:
        return os.fsencode(value).decode("utf-8")
    except UnicodeError:
        raise OptionError(f"The text after {option} is not UTF-8; convert it first, for example with iconv.") from None


def input_text(data: bytes, place: str = "The input") -> str:
    """`data` as text, without the mark that some editors put at the beginning of a file.

    Raises TokenizerError, which names `place` and the first wrong byte, for what is no UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TokenizerError(
            f"{place} is not UTF-8 text (byte {error.start + 1:,} is 0x{data[error.start]:02X}); convert it first, "
            "for example with iconv."
        ) from None


def given_text(stream: BinaryIO) -> str:
    """All of the input, as text. Raises as `input_text`, and OptionError for more than MOST_BYTES."""
    try:
        data = read_stream(stream)
    except OSError as error:
        raise OptionError(f"The input cannot be read ({reason(error)}); give less.") from None
    return input_text(data)


def without_line_end(text: str) -> str:
    """`text` without the line end that `echo` and editors put at its end: a model would go on in a new line."""
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def input_lines(stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Where each line stands, for people ("Line 3 of the input"), and its bytes; empty lines are left out. Raises
    OptionError for a line that may never end."""
    for number in count(1):
        place = f"Line {number} of the input"
        line = stream.readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise OptionError(f"{place} holds more than {data_size(_LONGEST_LINE)}; give one turn a line.")
        if not line:
            return
        if line.strip():
            yield place, line
