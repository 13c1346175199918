"""The engine's state of a conversation, in a file beside its transcript, so that a loaded chat is not read again.

Losing it costs time only, so nothing here stops a /save or a /load: what went wrong is said in a note.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from runtime.engines.base import Engine
from runtime.engines.local import LocalEngine
from runtime.engines.process import ProcessEngine
from runtime.errors import EngineError, SessionFileError
from runtime.saved import MAGIC

SUFFIX = ".session"


def state_file(transcript: Path) -> Path:
    """Where the state of the conversation in `transcript` lies."""
    return transcript.with_suffix(SUFFIX)


def has_state(engine: Engine) -> bool:
    """Whether `engine` has a state that can be kept: a service has none."""
    return isinstance(engine, LocalEngine | ProcessEngine)


def keep_state(engine: Engine, file: Path) -> str | None:
    """Write the state of the conversation that `engine` answered last. None, or a note why there is none."""
    if not isinstance(engine, LocalEngine | ProcessEngine):
        return None
    try:
        if engine.save_session(file):
            return None
    except (SessionFileError, EngineError) as error:
        return f"Text only: {error}"
    return "Text only: the model's process was started anew and holds nothing yet."


def drop_state(file: Path) -> None:
    """Remove a state that no longer belongs to the text beside it; a file of another kind stays."""
    with contextlib.suppress(OSError):  # at worst it is found to be of another conversation
        with file.open("rb") as stream:
            ours = stream.read(len(MAGIC)) == MAGIC
        if ours:
            file.unlink()


def bring_back_state(engine: Engine, file: Path) -> str | None:
    """Let `engine` hold the state in `file`. None, or a note why it does not."""
    if not isinstance(engine, LocalEngine | ProcessEngine):
        return None
    if not file.exists():
        return f"There is no {file.name} beside it; the next answer may begin by reading the conversation again."
    try:
        engine.restore_session(file)
    except (SessionFileError, EngineError) as error:
        sentence = str(error)
        return sentence if "read again" in sentence else f"{sentence} The conversation has to be read again."
    return None
