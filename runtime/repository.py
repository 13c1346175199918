"""Repositories of the Hugging Face Hub: how their names are written."""

from __future__ import annotations

import re

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9]|[._-](?![.-]))*"
_NAME = re.compile(f"{_PART}/{_PART}")


def is_repository(name: str) -> bool:
    """Whether `name` is written as OWNER/NAME, as the Hub's repositories are called. It is not asked whether there is
    one."""
    return _NAME.fullmatch(name) is not None
