"""The chat format of a checkpoint in a folder: what its files say, or else what its name says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def chat_format(folder: Path, known: Mapping[str, str], *, name: str) -> str:
    """The name of a format in runtime.chat, for the model called `name` in `folder`; `known` has those of known models
    by name and repository, in lower case.

    A chat template in the tokenizer's files goes first. Then comes the model that config.json says it was made from, if
    that one chats: of a base model, a tuned one may have been made. Then the name.
    """
    written = _recognize(_own_template(folder))
    origin = known.get(str(_json(folder / "config.json").get("_name_or_path")).lower(), "raw")
    if written or origin != "raw":
        return written or origin
    name = name.lower()
    if name in known:
        return known[name]
    if "instruct" in name:
        return "falcon-instruct"
    return "falcon-180b-chat" if "chat" in name else "raw"


def _own_template(folder: Path) -> str:
    """The Jinja template that comes with the tokenizer; empty where none does."""
    file = folder / "chat_template.jinja"  # where newer versions of transformers write it
    if file.exists():
        return file.read_text(encoding="utf-8", errors="replace")
    template = _json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):  # several, each with a name
        template = next((t.get("template") for t in template if isinstance(t, dict) and t.get("name") == "default"), "")
    return template if isinstance(template, str) else ""


def _recognize(template: str) -> str | None:
    """The format that a template writes, by the words that begin its turns."""
    text = template.replace("\\n", "\n")
    if "Falcon:" in text:
        return "falcon-180b-chat"
    if "\n\nUser:" in text:
        return "falcon-instruct"
    return "vllm" if "User:" in text and "Assistant:" in text else None


def _json(file: Path) -> dict[str, Any]:
    """An object in a file; nothing where there is none: who needs the file says what is wrong with it."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
