"""Invented words, and the rule that keeps a tenth of everything out of training."""

from __future__ import annotations

import zlib
from random import Random

from models.tiny.worlds import NAMES, SPELLING_WORDS, UNSEEN_NAMES, words

_ONSETS = words("b br c ch d dr f fl g gr h j k l m n p pr r s sh st t th tr v w y z")
_VOWELS = words("a e i o u a e i o ai ee ia oo ou")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PAIRS = [
    *(consonant + vowel for consonant in "bcdfghjklmnprstvwxyz" for vowel in "aeiou"),
    *(vowel + consonant for consonant in "bcdfghklmnprstvxyz" for vowel in "aeiou"),
    *words("ai au ea ee ei eo ia ie io oa oe oi oo ou ua ue ui by dy ky ly my ny ry sy ty vy"),
    *words(
        "th ph ch sh st tr ck ll nn rr ss tt dd mm pp ff mb mp nd ng nt nc nk ns nz rb rc rd rg rk rl rm rn rs rt rv"
    ),
    *words(
        "bl br cl cr dr fl fr gl gn gr kr pl pr sk sl sm sn sp sw tl tw vl vr wr dm ht ld lf lk ls lt lv ft ct pt xt"
    ),
]
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


def training_name(rng: Random) -> str:
    """A name for training, of more kinds than `person` has: known, invented, pieces of known ones, pairs, letters.

    Pairs and letters are drawn evenly, so that there is no piece of a name that training has not copied often.
    None is held out: what the evaluation tells stays as new to the model as it was.
    """
    while True:
        kind = rng.random()
        if kind < 0.15:
            name = rng.choice(NAMES)
        elif kind < 0.35:
            name = invented(rng, rng.randint(1, 3))
        elif kind < 0.60:
            name = _cut(rng, head=True) + _cut(rng, head=False)
        elif kind < 0.90:
            name = "".join(rng.choice(_PAIRS) for _ in range(rng.randint(2, 5)))[rng.randrange(2) :]
        else:
            name = "".join(rng.choice(_LETTERS) for _ in range(rng.randint(3, 7)))
        name = name.capitalize()
        if 3 <= len(name) <= 12 and name not in _UNSEEN and (name in NAMES or not is_held_out(f"name/{name}")):
            return name


def _cut(rng: Random, *, head: bool) -> str:
    """The beginning or the end of a name or a word."""
    word = rng.choice(NAMES if rng.random() < 0.6 else SPELLING_WORDS).lower()
    place = rng.randint(1, len(word))
    return word[:place] if head else word[-place:]
