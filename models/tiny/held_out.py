"""The text that the embedded model is measured on: `python -m models.tiny.held_out > models/tiny/held-out.txt`.

One conversation of questions that training held out (see `evaluate`), with their answers.
"""
# ruff: noqa: T201 - a command: what it prints is its output

from __future__ import annotations

from random import Random

from models.tiny.dialogues import Dialogue
from models.tiny.topics import TOPICS, single

_TURNS = 400
_TOPICS = tuple(topic for topic in TOPICS if topic != "chat")  # chat is not held out


def held_out_text() -> str:
    """The conversation, the same each time."""
    rng = Random("held-out text")
    turns = tuple(single(rng, rng.choice(_TOPICS), held=True) for _ in range(_TURNS))
    return "".join(prompt + answer for prompt, answer in Dialogue(turns).segments())


if __name__ == "__main__":
    print(held_out_text())
