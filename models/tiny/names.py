"""Invented words, and the rule that keeps a tenth of everything out of training."""

from __future__ import annotations

import zlib
from random import Random

from models.tiny.worlds import NAMES, UNSEEN_NAMES, words

_ONSETS = words("b br c ch d dr f fl g gr h j k l m n p pr r s sh st t th tr v w y z")
_VOWELS = words("a e i o u a e i o ai ee ia oo ou")
_CODAS = ["", "", "", "n", "l", "r", "s", "m", "t", "k", "nd", "x", "sh"]
_UNSEEN = frozenset(UNSEEN_NAMES)


def is_held_out(key: str) -> bool:
    """Whether this combination of wording and subject is kept for the evaluation: one in ten, by a fixed hash."""
    return zlib.crc32(key.encode()) % 10 == 0


def invented(rng: Random, syllables: int) -> str:
    """A word that looks like a name and most likely is none."""
    parts = (rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables))
    return "".join(parts).capitalize()


def person(rng: Random, *, held: bool) -> str:
    """A person's or a pet's name: for training one of NAMES or an invented one, for evaluation one never trained on."""
    if held and rng.random() < 0.6:
        return rng.choice(UNSEEN_NAMES)
    if not held and rng.random() < 0.4:
        return rng.choice(NAMES)
    while True:
        name = invented(rng, rng.randint(1, 3))
        if is_held_out(f"name/{name}") == held and name not in _UNSEEN and 3 <= len(name) <= 12:
            return name
