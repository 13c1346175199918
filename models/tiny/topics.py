"""Single questions and their answers, one function a topic: pure functions of a random generator.

Each function returns a Turn whose key says wording and subject; `names.is_held_out` of the key splits training from
evaluation. What an answer copies from a question in lower case is in lower case too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from models.tiny import worlds
from models.tiny.names import invented, is_held_out, person, training_name
from models.tiny.worlds import words

UNKNOWN = "I do not know that."
OUT_OF_RANGE = "I only know numbers from zero to twenty."
_WORDS = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)


@dataclass(frozen=True)
class Turn:
    """One question with its only right answer. An empty key is never held out."""

    topic: str
    question: str
    answer: str
    key: str = ""


@dataclass(frozen=True)
class Draw:
    """How a question is drawn: from which generator, in lower case or not, for training or (held) for evaluation.

    `varied` draws names of the many kinds that training tells.
    """

    rng: Random
    lower: bool
    held: bool
    varied: bool = False


Topic = Callable[[Draw], Turn]


def _turn(
    draw: Draw,
    topic: str,
    wordings: Sequence[str],
    slots: Mapping[str, object],
    answer: str,
) -> Turn:
    index = draw.rng.randrange(len(wordings))
    question = wordings[index].format(**slots)
    question = question[0].upper() + question[1:]
    key = f"{topic}/{wordings[index]}/{'/'.join(str(value) for value in slots.values())}"
    return Turn(topic, question.lower() if draw.lower else question, answer, key)


_CAPITAL_OF = (
    "What is the capital of {x}?",
    "What's the capital of {x}?",
    "Which city is the capital of {x}?",
    "Tell me the capital of {x}.",
    "Name the capital of {x}.",
    "Do you know the capital of {x}?",
    "The capital of {x}?",
    "What is {x}'s capital?",
    "Please tell me the capital city of {x}.",
)
_COUNTRY_OF = (
    "Which country has the capital {x}?",
    "{x} is the capital of which country?",
    "What country is {x} the capital of?",
    "Of which country is {x} the capital?",
)


def _capitals(draw: Draw) -> Turn:
    country, capital = draw.rng.choice(list(worlds.CAPITALS.items()))
    if draw.rng.random() < 0.7:
        answer = f"The capital of {country} is {capital}."
        return _turn(draw, "capitals", _CAPITAL_OF, {"x": country}, answer)
    return _turn(draw, "capitals", _COUNTRY_OF, {"x": capital}, f"{capital} is the capital of {country}.")


def _planets(draw: Draw) -> Turn:
    wordings: tuple[str, ...]
    kind = draw.rng.randrange(5)
    index = draw.rng.randrange(8)
    planet = worlds.PLANETS[index]
    if kind == 0:
        wordings = (
            "What is the {n} planet from the sun?",
            "Which planet is the {n} from the sun?",
            "Name planet {n}.",
            "What is the {n} planet?",
        )
        ordinal = worlds.ORDINALS[index]
        return _turn(draw, "planets", wordings, {"n": ordinal}, f"The {ordinal} planet is {planet}.")
    if kind == 1 and index < 7:
        wordings = ("Which planet comes after {x}?", "What planet is next after {x}?", "What is the planet after {x}?")
        answer = f"{worlds.PLANETS[index + 1]} comes after {planet}."
        return _turn(draw, "planets", wordings, {"x": planet}, answer)
    if kind == 2 and index > 0:
        wordings = ("Which planet comes before {x}?", "What planet is before {x}?", "What is the planet before {x}?")
        answer = f"{worlds.PLANETS[index - 1]} comes before {planet}."
        return _turn(draw, "planets", wordings, {"x": planet}, answer)
    if kind == 3:
        wordings = (
            "How many planets are there?",
            "How many planets does the sun have?",
            "Count the planets.",
            "How many planets are in the solar system?",
            "What is the number of planets?",
        )
        return _turn(draw, "planets", wordings, {}, "There are eight planets.")
    fact, planet = draw.rng.choice(list(worlds.PLANET_FACTS.items()))
    wordings = (
        "Which planet is {x}?",
        "What planet is {x}?",
        "Tell me which planet is {x}.",
        "Do you know {x} planet?",
    )
    wordings = wordings[: 4 if fact.startswith("the ") and "one" not in fact else 3]
    return _turn(draw, "planets", wordings, {"x": fact}, f"The planet is {planet}.")


_ALL_OPPOSITES = [
    *worlds.OPPOSITES.items(),
    *((b, a) for a, b in worlds.OPPOSITES.items()),
    *worlds.ONE_WAY_OPPOSITES.items(),
]
_OPPOSITE_OF = (
    "What is the opposite of {x}?",
    "What's the opposite of {x}?",
    "Tell me the opposite of {x}.",
    "Give me the opposite of {x}.",
    "Which word is the opposite of {x}?",
    "The opposite of {x}?",
    "Do you know the opposite of {x}?",
    "What word means the opposite of {x}?",
)


def _opposites(draw: Draw) -> Turn:
    word, other = draw.rng.choice(_ALL_OPPOSITES)
    return _turn(draw, "opposites", _OPPOSITE_OF, {"x": word}, f"The opposite of {word} is {other}.")


def _counting(draw: Draw) -> Turn:
    wordings: tuple[str, ...]
    kind = draw.rng.randrange(4)
    first = draw.rng.choice((1, 1, draw.rng.randint(1, 16)))
    if kind == 0:
        last = draw.rng.randint(first + 2, min(20, first + 11))
        wordings = (
            "Count from {a} to {b}.",
            "Count {a} to {b}.",
            "Please count from {a} up to {b}.",
            "Can you count from {a} to {b}?",
        )
        numbers = range(first, last + 1)
    elif kind == 1:
        last, first = first, draw.rng.randint(first + 2, min(20, first + 11))
        wordings = ("Count backwards from {a} to {b}.", "Count down from {a} to {b}.", "Count from {a} down to {b}.")
        numbers = range(first, last - 1, -1)
    elif kind == 2:
        first = draw.rng.randint(1, 10)
        last = first + 2 * draw.rng.randint(2, 5)
        wordings = (
            "Count by twos from {a} to {b}.",
            "Count from {a} to {b} by twos.",
            "Count in twos from {a} to {b}.",
        )
        numbers = range(first, last + 1, 2)
    else:
        first, last = 1, draw.rng.randint(3, 12)
        wordings = ("Count to {b}.", "Count up to {b}.", "Can you count to {b}?", "Please count to {b}.")
        numbers = range(1, last + 1)
    answer = ", ".join(str(n) for n in numbers) + "."
    return _turn(draw, "counting", wordings, {"a": first, "b": last}, answer)


_PLUS: tuple[str, ...] = (
    "What is {a} plus {b}?",
    "What's {a} + {b}?",
    "{a} plus {b}?",
    "How much is {a} + {b}?",
    "Add {a} and {b}.",
    "What is {a} + {b}?",
    "What is the sum of {a} and {b}?",
    "How much is {a} plus {b}?",
)
_MINUS: tuple[str, ...] = (
    "What is {a} minus {b}?",
    "What's {a} - {b}?",
    "{a} minus {b}?",
    "How much is {a} - {b}?",
    "What is {a} - {b}?",
    "Take {b} from {a}.",
    "How much is {a} minus {b}?",
    "Subtract {b} from {a}.",
)


def _sums(draw: Draw) -> Turn:
    spelled = draw.rng.random() < 0.2
    if draw.rng.random() < 0.5:
        total = draw.rng.randint(0, 20)
        a = draw.rng.randint(0, total)
        b, wordings, answer = total - a, _PLUS, f"{a} plus {total - a} is {total}."
    else:
        a = draw.rng.randint(0, 20)
        b = draw.rng.randint(0, a)
        wordings, answer = _MINUS, f"{a} minus {b} is {a - b}."
    if draw.rng.random() < 0.12:
        answer = OUT_OF_RANGE
        if draw.rng.random() < 0.6:  # small numbers whose result is out of range
            a = draw.rng.randint(1, 20)
            b = draw.rng.randint(21 - a, 20) if wordings is _PLUS else draw.rng.randint(a + 1, 21)
        else:
            a, b = draw.rng.randint(21, draw.rng.choice((40, 999))), draw.rng.randint(0, draw.rng.choice((20, 99)))
    elif spelled:
        wordings = tuple(wording for wording in wordings if "+" not in wording and "-" not in wording)
        return _turn(draw, "sums", wordings, {"a": _WORDS[a], "b": _WORDS[b]}, answer)
    return _turn(draw, "sums", wordings, {"a": a, "b": b}, answer)


_SPELL = (
    "Spell {x}.",
    "Spell the word {x}.",
    "How do you spell {x}?",
    "Can you spell {x}?",
    "Please spell {x}.",
    "How is {x} spelled?",
    "What is the spelling of {x}?",
)
_FIRST = ("What is the first letter of {x}?", "Which letter does {x} start with?", "What letter does {x} begin with?")
_LAST = ("What is the last letter of {x}?", "Which letter does {x} end with?", "What letter is at the end of {x}?")
_COUNT = ("How many letters are in {x}?", "How many letters does {x} have?", "Count the letters of {x}.")


def _spelling(draw: Draw) -> Turn:
    word = draw.rng.choice(worlds.SPELLING_WORDS)
    return _turn(draw, "spelling", _SPELL, {"x": word}, "-".join(word) + ".")


def _letters(draw: Draw) -> Turn:
    word = draw.rng.choice(worlds.SPELLING_WORDS)
    kind = draw.rng.randrange(5)
    if kind < 2:
        return _turn(draw, "letters", _FIRST, {"x": word}, f"The first letter of {word} is {word[0]}.")
    if kind < 4:
        return _turn(draw, "letters", _LAST, {"x": word}, f"The last letter of {word} is {word[-1]}.")
    return _turn(draw, "letters", _COUNT, {"x": word}, f"The word {word} has {len(word)} letters.")


def _stories(draw: Draw) -> Turn:
    wordings: tuple[str, ...]
    animal = draw.rng.choice(list(worlds.STORIES))
    kind, place, thing, end, default = worlds.STORIES[animal]
    article = "an" if animal[0] in "aeiou" else "a"
    slots = {"x": f"{article} {animal}"}
    if draw.rng.random() < 0.6:
        wordings = (
            "Tell me a story about {x} named {n}.",
            "Tell me a story about {x} called {n}.",
            "Write a story about {x} named {n}.",
            "I want a story about {x} called {n}.",
        )
        name = training_name(draw.rng) if draw.varied else person(draw.rng, held=draw.held)
        name = slots["n"] = name.lower() if draw.lower else name
    else:
        wordings = (
            "Tell me a story about {x}.",
            "Write a short story about {x}.",
            "Can you tell me a story about {x}?",
            "Please tell me a short story about {x}.",
        )
        name = default
    kind_article = "an" if kind[0] in "aeiou" else "a"
    answer = f"{name} was {kind_article} {kind} {animal}. One day {name} went to {place} and found {thing}. "
    return _turn(draw, "stories", wordings, slots, f"{answer}{name} {end}.")


def _colours(draw: Draw) -> Turn:
    wordings: tuple[str, ...]
    thing, colour = draw.rng.choice(list(worlds.THING_COLOURS.items()))
    spelling = draw.rng.choice(("colour", "color"))
    wordings = (
        "What {c} is {x}?",
        "Which {c} is {x}?",
        "What is the {c} of {x}?",
        "Tell me the {c} of {x}.",
        "What {c} does {x} have?",
    )
    answer = f"{thing[0].upper()}{thing[1:]} {colour}."
    return _turn(draw, "colours", wordings, {"c": spelling, "x": thing}, answer)


def _calendar(draw: Draw) -> Turn:
    wordings: tuple[str, ...]
    noun, names = draw.rng.choice((("day", worlds.DAYS), ("month", worlds.MONTHS)))
    index = draw.rng.randrange(len(names))
    name, after, before = names[index], names[(index + 1) % len(names)], names[index - 1]
    kind = draw.rng.randrange(4)
    slots: dict[str, object] = {"d": noun, "x": name}
    if kind == 0:
        wordings = ("What {d} comes after {x}?", "Which {d} comes after {x}?", "What is the {d} after {x}?")
        return _turn(draw, "calendar", wordings, slots, f"{after} comes after {name}.")
    if kind == 1:
        wordings = ("What {d} comes before {x}?", "Which {d} comes before {x}?", "What is the {d} before {x}?")
        return _turn(draw, "calendar", wordings, slots, f"{before} comes before {name}.")
    whole = "week" if noun == "day" else "year"
    if kind == 2:
        ordinal = worlds.ORDINALS[index]
        wordings = (
            "What is the {n} {d} of the {w}?",
            "Which {d} is the {n} of the {w}?",
            "Name the {n} {d} of the {w}.",
        )
        slots = {"n": ordinal, "d": noun, "w": whole}
        return _turn(draw, "calendar", wordings, slots, f"The {ordinal} {noun} of the {whole} is {name}.")
    wordings = ("How many {d}s are in a {w}?", "How many {d}s does a {w} have?", "How many {d}s are there in a {w}?")
    number = _WORDS[len(names)]
    return _turn(draw, "calendar", wordings, {"d": noun, "w": whole}, f"A {whole} has {number} {noun}s.")


def _chat(draw: Draw) -> Turn:
    wordings, answer = draw.rng.choice(worlds.CHAT)
    question = draw.rng.choice(wordings)
    return Turn("chat", question.lower() if draw.lower else question, answer)


def _unknown(draw: Draw) -> Turn:
    wordings: tuple[str, ...]
    kind = draw.rng.randrange(8)
    word = invented(draw.rng, draw.rng.randint(2, 3))
    if kind < 3:
        country = draw.rng.choice(worlds.UNKNOWN_COUNTRIES) if draw.rng.random() < 0.5 else word
        return _turn(draw, "unknown", _CAPITAL_OF, {"x": country}, UNKNOWN)
    if kind == 3:
        return _turn(draw, "unknown", _OPPOSITE_OF, {"x": word.lower()}, UNKNOWN)
    if kind == 4:
        wordings = ("What does {x} mean?", "What is a {x}?", "Who is {x}?", "Where is {x}?", "What colour is a {x}?")
        return _turn(draw, "unknown", wordings, {"x": word if draw.rng.random() < 0.5 else word.lower()}, UNKNOWN)
    return _turn(draw, "unknown", worlds.UNKNOWN_QUESTIONS, {"x": draw.rng.choice(worlds.SUBJECTS)}, UNKNOWN)


TOPICS: dict[str, tuple[Topic, tuple[int, int, int]]] = {  # and how often each comes in each mix
    "capitals": (_capitals, (17, 17, 9)),
    "planets": (_planets, (8, 8, 9)),
    "opposites": (_opposites, (13, 13, 12)),
    "counting": (_counting, (12, 18, 18)),
    "sums": (_sums, (18, 24, 24)),
    "spelling": (_spelling, (13, 13, 13)),
    "letters": (_letters, (12, 12, 17)),
    "stories": (_stories, (7, 9, 9)),
    "colours": (_colours, (6, 6, 5)),
    "calendar": (_calendar, (9, 9, 10)),
    "chat": (_chat, (5, 5, 4)),
    "unknown": (_unknown, (9, 9, 7)),
}


def single(rng: Random, topic: str, *, lower: bool = False, held: bool = False, varied: bool = False) -> Turn:
    """A random question of `topic` from the training part, or from the held-out one."""
    make = TOPICS[topic][0]
    draw = Draw(rng, lower, held, varied)
    while True:
        turn = make(draw)
        if not turn.key or is_held_out(turn.key) == held:
            return turn
