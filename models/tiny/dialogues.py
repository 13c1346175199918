"""Conversations: questions of all topics mixed with things to remember, and their text in Falcon's chat format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from models.tiny import worlds
from models.tiny.names import is_held_out, person, training_name
from models.tiny.topics import TOPICS, Turn, single

_TELL: dict[str, tuple[str, ...]] = {
    "name": (
        "My name is {x}.",
        "I am {x}.",
        "I'm {x}.",
        "Call me {x}.",
        "Hello, my name is {x}.",
        "Hi, I am {x}.",
        "Hello! I'm {x}.",
        "You can call me {x}.",
        "Hi, my name is {x}.",
        "{x} is my name.",
    ),
    "colour": (
        "My favourite colour is {x}.",
        "My favorite color is {x}.",
        "The colour I like most is {x}.",
        "I like {x} best of all colours.",
        "{x} is my favourite colour.",
    ),
    "city": ("I live in {x}.", "I am from {x}.", "My home is in {x}.", "I come from {x}.", "My city is {x}."),
    "pet": (
        "I have a {s} named {x}.",
        "I have a {s} called {x}.",
        "My {s} is called {x}.",
        "My {s}'s name is {x}.",
        "The name of my {s} is {x}.",
    ),
    "age": ("I am {x} years old.", "I'm {x} years old.", "My age is {x}."),
    "food": ("My favourite food is {x}.", "My favorite food is {x}.", "The food I like most is {x}.", "I love {x}."),
}
_REPLY = {
    "name": "Nice to meet you, {x}.",
    "colour": "I will remember that you like {x}.",
    "city": "I will remember that you live in {x}.",
    "pet": "I will remember your {s} {x}.",
    "age": "I will remember that you are {x} years old.",
    "food": "I will remember that you like {x}.",
}
_ASK: dict[str, tuple[str, ...]] = {
    "name": (
        "What is my name?",
        "What's my name?",
        "Do you remember my name?",
        "Who am I?",
        "Tell me my name.",
        "Do you know my name?",
        "What was my name?",
        "Can you tell me my name?",
        "Do you know who I am?",
    ),
    "colour": (
        "What is my favourite colour?",
        "What's my favorite color?",
        "Which colour do I like most?",
        "Do you remember my favourite colour?",
        "Tell me my favourite colour.",
        "What is my favorite color?",
    ),
    "city": (
        "Where do I live?",
        "Where am I from?",
        "In which city do I live?",
        "Do you remember where I live?",
        "What city am I from?",
        "Which city do I live in?",
    ),
    "pet": (
        "What is my {s} called?",
        "What is the name of my {s}?",
        "Do you remember the name of my {s}?",
        "What is my {s}'s name?",
        "Tell me the name of my {s}.",
        "What is my pet called?",
        "What pet do I have?",
    ),
    "age": ("How old am I?", "What is my age?", "Do you remember how old I am?", "Tell me my age."),
    "food": (
        "What is my favourite food?",
        "What's my favorite food?",
        "Which food do I like most?",
        "Do you remember my favourite food?",
        "Tell me my favourite food.",
    ),
}
_RECALL = {
    "name": "Your name is {x}.",
    "colour": "Your favourite colour is {x}.",
    "city": "You live in {x}.",
    "pet": "Your {s} is called {x}.",
    "age": "You are {x} years old.",
    "food": "Your favourite food is {x}.",
}
_NEVER_TOLD = {
    "name": "You have not told me your name.",
    "colour": "You have not told me your favourite colour.",
    "city": "You have not told me where you live.",
    "pet": "You have not told me about a pet.",
    "age": "You have not told me your age.",
    "food": "You have not told me your favourite food.",
}
_REPEAT = ("Repeat after me: {x}.", "Say {x}.", "Please say {x}.", "Repeat: {x}.", "Can you say {x}?", "Now say {x}.")
_FOLLOW = ("And of {x}?", "And {x}?", "What about {x}?", "And what about {x}?")


@dataclass(frozen=True)
class Dialogue:
    """Turns in order; `system` may be empty. `leading` says whether the first turn begins with the format's \\n\\n."""

    turns: tuple[Turn, ...]
    system: str = ""
    leading: bool = True

    def segments(self) -> Iterator[tuple[str, str]]:
        """Prompt and answer texts by turns. Their concatenation is the transcript."""
        for index, turn in enumerate(self.turns):
            before = self.system if index == 0 else ""
            gap = "\n\n" if index or self.leading or self.system else ""
            yield f"{before}{gap}User: {turn.question}\n\nAssistant:", f" {turn.answer}"


class Memory:
    """What the user has said of themselves in one conversation; makes the turns that tell it and ask for it."""

    def __init__(self, rng: Random, *, held: bool = False, varied: bool = False) -> None:
        self.rng = rng
        self.held = held
        self.varied = varied
        self.told: dict[str, dict[str, str]] = {}

    def tell(self, kind: str, *, lower: bool = False) -> Turn:
        """The user tells something of this kind; later turns ask for it."""
        rng = self.rng
        wording = rng.choice(_TELL[kind])
        value = self._value(kind)
        slots = {"x": value.lower() if lower else value, "s": rng.choice(worlds.PETS)}
        self.told[kind] = slots
        question = wording.format(**slots)
        if wording.startswith("{x} is my favourite"):
            question = question[0].upper() + question[1:]
        return Turn("memory", question.lower() if lower else question, _REPLY[kind].format(**slots))

    def ask(self, kind: str, *, lower: bool = False) -> Turn:
        """The user asks for it, told or not."""
        rng = self.rng
        slots = self.told.get(kind)
        for _ in range(60):
            wording = rng.choice(_ASK[kind])
            if slots is None:
                question, answer = wording.format(s=rng.choice(worlds.PETS)), _NEVER_TOLD[kind]
                key = f"never/{kind}/{question}"
            else:
                question, answer = wording.format(**slots), _RECALL[kind].format(**slots)
                key = f"ask/{wording}/{slots['x']}"
            if is_held_out(key) == self.held:
                break
        else:  # every wording falls to the other part
            if not self.held:
                return single(rng, "chat", lower=lower)
        return Turn("memory", question.lower() if lower else question, answer, key)

    def _value(self, kind: str) -> str:
        rng = self.rng
        if kind in ("name", "pet") or (kind == "city" and rng.random() < 0.5):
            return training_name(rng) if self.varied else person(rng, held=self.held)
        return {
            "colour": lambda: rng.choice(worlds.COLOURS),
            "city": lambda: rng.choice(worlds.CITIES),
            "age": lambda: str(rng.randint(5, 99)),
            "food": lambda: rng.choice(worlds.FOODS),
        }[kind]()


KINDS = tuple(_TELL)
_KIND_WEIGHTS = (5, 2, 2, 2, 1, 1)
_TOPIC_NAMES = tuple(TOPICS)
_WEIGHTS = [[weights[mix] for _, weights in TOPICS.values()] for mix in range(3)]


@dataclass(frozen=True)
class Mix:
    """What training conversations of one part of the run hold."""

    lengths: tuple[int, ...]  # in turns, drawn evenly
    remembers: float  # the share of conversations with things to remember
    repeats: float  # the share of turns that ask to repeat names


MIXES = (  # the first teaches to copy, in short conversations; the last has more of what is learned slowly
    Mix((1, 1, 2, 2, 3, 3, 4), 0.7, 0.3),
    Mix((1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8), 0.6, 0.06),
    Mix((1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8), 0.5, 0.03),
)


def dialogue(rng: Random, mix: int = 1) -> Dialogue:
    """A training conversation of one of MIXES, mostly of one to eight turns."""
    what = MIXES[mix]
    lower, bare = rng.random() < 0.2, rng.random() < 0.2
    length = rng.choice(what.lengths) if mix == 0 or rng.random() < 0.95 else rng.randint(9, 16)
    remembers = rng.random() < what.remembers
    memory = Memory(rng, varied=True)
    turns: list[Turn] = []
    for _ in range(length):
        if rng.random() < what.repeats:
            turn = repeat(rng, lower=lower)
        else:
            turn = _next_turn(rng, memory, turns[-1] if turns else None, remembers, lower, _WEIGHTS[mix])
        turns.append(without_mark(turn) if bare or rng.random() < 0.05 else turn)
    return Dialogue(tuple(turns), system_text(rng), leading=rng.random() < 0.6)


def repeat(rng: Random, *, lower: bool = False) -> Turn:
    """Names to be said again, for training alone: of all that teaches to copy, this has the most tokens to the turn."""
    names = " ".join(training_name(rng) for _ in range(rng.choice((1, 2, 2, 3, 4))))
    names = names.lower() if lower else names
    question = rng.choice(_REPEAT).format(x=names)
    return Turn("repeat", question.lower() if lower else question, f"{names}.")


def system_text(rng: Random) -> str:
    """A system text, or none."""
    kind = rng.random()
    if kind < 0.6:
        return ""
    if kind < 0.9:
        return rng.choice(worlds.SYSTEMS)
    return " ".join(rng.sample(worlds.SYSTEMS, 2))


def without_mark(turn: Turn) -> Turn:
    """The same question as a hasty user types it: no mark at its end."""
    return replace(turn, question=turn.question.rstrip(".?!"))


def _next_turn(
    rng: Random, memory: Memory, last: Turn | None, remembers: bool, lower: bool, weights: list[int]
) -> Turn:
    if remembers:
        draw = rng.random()
        if draw < 0.35 and memory.told:
            return memory.ask(rng.choice(tuple(memory.told)), lower=lower)
        if draw < 0.40:
            return memory.ask(rng.choices(KINDS, _KIND_WEIGHTS)[0], lower=lower)
        untold = [kind for kind in KINDS if kind not in memory.told or rng.random() < 0.1]
        if draw < (0.60 if memory.told else 0.80) and untold:
            kind_weights = [_KIND_WEIGHTS[KINDS.index(kind)] for kind in untold]
            return memory.tell(rng.choices(untold, kind_weights)[0], lower=lower)
    if last is not None and last.answer.startswith(("The capital of", "The opposite of")) and rng.random() < 0.3:
        topic = "capitals" if "capital" in last.answer else "opposites"
        return follow_up(rng, topic, lower=lower)
    return single(rng, rng.choices(_TOPIC_NAMES, weights)[0], lower=lower, varied=True)


def follow_up(rng: Random, topic: str, *, lower: bool = False, held: bool = False) -> Turn:
    """A short question that means the same as the one before: "And of Spain?"."""
    while True:
        turn = single(rng, topic, held=held)
        if not turn.answer.startswith(("The capital of", "The opposite of")):
            continue
        subject = turn.answer.split(" of ", 1)[1].split(" is ")[0]
        question = rng.choice(_FOLLOW).format(x=subject)
        key = f"follow/{question}"
        if is_held_out(key) == held:
            return Turn("follow-ups", question.lower() if lower else question, turn.answer, key)
