"""Context: what of a conversation is fed when it is longer than its room. A pure function of the messages.

Whoever drops something drops a quarter of the context at once, so that the turns after it share their prefix with what
the session holds. See docs/decisions/015-context-policies.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from runtime.chat import ChatTemplate, Message
from runtime.errors import ContextFullError
from runtime.events import Trimmed
from runtime.options import GenerationOptions
from runtime.tokenizer import Tokenizer

GAP = " … "  # stands where text was left out of the middle


@dataclass(frozen=True)
class Fitted:
    """What is fed: `ids`, and for a conversation the messages that they spell. `trimmed` is None where all of it is."""

    ids: list[int]
    trimmed: Trimmed | None = None
    messages: tuple[Message, ...] = ()


def answer_room(context_length: int) -> int:
    """Tokens that a policy that drops keeps free for the answer: a quarter of the context, whatever `max_new_tokens`
    is, so that what is kept depends on the messages alone."""
    return max(1, context_length // 4)


def fit_messages(
    messages: Sequence[Message],
    template: ChatTemplate,
    tokenizer: Tokenizer,
    options: GenerationOptions,
    context_length: int,
) -> Fitted:
    """`messages` as the policy of `options` feeds them.

    Raises ContextFullError where that is impossible: under `stop` for more tokens than the context holds, else for a
    last message, or a system message, that does not fit by itself. Raises what `ChatTemplate.encode` does.
    """
    ids = template.encode(messages, tokenizer)
    if options.context_policy == "stop":
        _check(len(ids), context_length, "conversation", "shorten the last message or begin a new conversation")
        return Fitted(ids, None, tuple(messages))
    budget = context_length - answer_room(context_length)
    if len(ids) <= budget:
        return Fitted(ids, None, tuple(messages))
    conversation = _Conversation(messages, template, tokenizer)
    if options.context_policy == "rolling":
        kept, dropped = _roll(conversation, budget, context_length // 4)
        if (size := len(template.encode(kept, tokenizer))) >= context_length:
            beside = ", the system message included," if conversation.system else ""
            raise ContextFullError(
                f"The last message has {size:,} tokens{beside} and the model's context holds {context_length:,} with "
                "the answer: shorten it."
            )
    else:
        kept, dropped = _cut_middle(conversation, budget, context_length // 4)
    fed = template.encode(kept, tokenizer)
    return Fitted(fed, Trimmed(options.context_policy, dropped, len(ids) - len(fed)), tuple(kept))


def fit_prompt(ids: list[int], tokenizer: Tokenizer, options: GenerationOptions, context_length: int) -> Fitted:
    """The tokens of a text to be continued, as the policy of `options` feeds them: `rolling` leaves out the first,
    `truncate-middle` those after the first quarter, both in steps. ContextFullError under `stop` for too many."""
    if options.context_policy == "stop":
        _check(len(ids), context_length, "prompt", "shorten it")
        return Fitted(ids)
    budget = context_length - answer_room(context_length)
    if len(ids) <= budget:
        return Fitted(ids)
    gap = tokenizer.encode(GAP) if options.context_policy == "truncate-middle" else []
    if len(gap) >= budget // 4:
        gap = []  # a context of a few tokens
    head = budget // 4 if options.context_policy == "truncate-middle" else 0
    step = max(1, context_length // 4)
    dropped = -(-(len(ids) + len(gap) - budget) // step) * step
    fed = ids[:head] + gap + ids[head + dropped :]
    return Fitted(fed, Trimmed(options.context_policy, 0, len(ids) - len(fed)))


def _check(size: int, most: int, what: str, remedy: str) -> None:
    if size > most:
        raise ContextFullError(f"The {what} has {size:,} tokens and the model's context holds {most:,}: {remedy}.")


class _Conversation:
    """Messages in turns, and the tokens that each takes where it follows an answer: exact, as no turn changes the ids
    of another (ChatTemplate.encode). The last turn is a question only."""

    def __init__(self, messages: Sequence[Message], template: ChatTemplate, tokenizer: Tokenizer) -> None:
        self.template = template
        self.tokenizer = tokenizer
        self.system = list(messages[:1]) if messages[0].role == "system" else []
        rest = messages[len(self.system) :]
        self.turns = [list(rest[place : place + 2]) for place in range(0, len(rest), 2)]
        opening = Message("user", "x")
        self._before = [opening, Message("assistant", "x")]
        self._before_size = len(template.encode(self._before, tokenizer, for_answer=False))
        self._opening = [opening]
        self._opening_size = len(template.encode(self._opening, tokenizer))

    def question_size(self, question: Message) -> int:
        """Tokens of a user's message and the words that ask for its answer."""
        return len(self.template.encode([*self._before, question], self.tokenizer)) - self._before_size

    def answer_size(self, answer: Message) -> int:
        """Tokens of an answer."""
        whole = self.template.encode([*self._opening, answer], self.tokenizer, for_answer=False)
        return len(whole) - self._opening_size

    def size(self, messages: Sequence[Message]) -> int:
        """Tokens of a conversation, ready for an answer where the last message is the user's."""
        return len(self.template.encode(messages, self.tokenizer, for_answer=messages[-1].role == "user"))


def _roll(conversation: _Conversation, budget: int, step: int) -> tuple[list[Message], int]:
    """The system message and the last turns; how many messages are left out."""
    questions = [conversation.question_size(turn[0]) for turn in conversation.turns]
    answers = [conversation.answer_size(turn[1]) for turn in conversation.turns[:-1]]
    leads: dict[int, int] = {}

    def lead(turn: int) -> int:
        """What more a question takes as the first: the system message is before it."""
        if turn not in leads:
            leads[turn] = conversation.size([*conversation.system, conversation.turns[turn][0]]) - questions[turn]
        return leads[turn]

    first = _first_kept(questions, answers, lead, budget, step)
    kept = [message for turn in conversation.turns[first:] for message in turn]
    return [*conversation.system, *kept], 2 * first


def _cut_middle(conversation: _Conversation, budget: int, step: int) -> tuple[list[Message], int]:
    """The first turns, in a quarter of the budget or, for the first of all, two, and the last ones; how many messages
    are left out. What is too long for its place loses the middle of its text."""
    system, turns = conversation.system, conversation.turns
    if len(turns) == 1:
        return [*system, _shorten(turns[0][0], conversation, budget, lambda m: conversation.size([*system, m]))], 0
    # The format's words around the last message are counted with the system message: they cannot be cut.
    bare = conversation.size([*system, Message("user", "x")])
    quarter = (budget - bare) // 4
    begin = [_shorten_both(turns[0], conversation, quarter)]
    taken = _turn_size(conversation, begin[0])
    for turn in turns[1:-1]:
        taken += _turn_size(conversation, turn)
        if taken > quarter:
            break
        begin.append(turn)
    opening = [*system, *(message for turn in begin for message in turn)]
    room = budget - conversation.size(opening)
    last = _shorten(turns[-1][0], conversation, room, conversation.question_size)
    middle = [_shorten_both(turn, conversation, room // 2) for turn in turns[len(begin) : -1]]
    questions = [min(room, conversation.question_size(turn[0])) for turn in turns[len(begin) :]]
    answers = [_turn_size(conversation, turn) - asked for turn, asked in zip(middle, questions, strict=False)]
    first = _first_kept(questions, answers, lambda _: 0, room, step)
    kept = [message for turn in middle[first:] for message in turn]
    return [*opening, *kept, last], 2 * first


def _turn_size(conversation: _Conversation, turn: Sequence[Message]) -> int:
    return conversation.question_size(turn[0]) + conversation.answer_size(turn[1])


def _first_kept(
    questions: Sequence[int], answers: Sequence[int], lead: Callable[[int], int], budget: int, step: int
) -> int:
    """The first turn that is kept: found by asking one turn after the other, as the conversation went.

    A turn stays as long as all fits, so that the prefix is shared. Where it does not, turns go until `step` tokens are
    free; the turn before the question goes only where it must. `questions` [N], `answers` [N - 1] in tokens; `lead`
    says what more a turn takes as the first. May return the last turn even where it is over the budget.
    """
    begins = [0, *accumulate(question + answer for question, answer in zip(questions, answers, strict=False))]

    def size(first: int, last: int) -> int:
        return lead(first) + begins[last] - begins[first] + questions[last]

    first = 0
    for last in range(len(questions)):
        if size(first, last) <= budget:
            continue
        choices = range(first + 1, last + 1)
        easy = (turn for turn in choices[:-1] if size(turn, last) <= budget - step)
        tight = (turn for turn in choices if size(turn, last) <= budget)
        first = next(easy, None) or next(tight, last)
    return first


def _shorten_both(turn: Sequence[Message], conversation: _Conversation, most: int) -> list[Message]:
    """A turn whose question and answer take `most` tokens each."""
    question, answer = turn
    return [
        _shorten(question, conversation, most, conversation.question_size),
        _shorten(answer, conversation, most, conversation.answer_size),
    ]


def _shorten(message: Message, conversation: _Conversation, most: int, size: Callable[[Message], int]) -> Message:
    """`message`, less the middle of its text where `size` is over `most`. ContextFullError where nothing remains."""
    over = size(message) - most
    if over <= 0:
        return message
    text = message.content.strip()
    ids = conversation.tokenizer.encode(text)
    keep = min(most, len(ids) - 1)
    while keep > 0:
        cut = Message(message.role, _without_middle(ids, keep, conversation.tokenizer))
        over = size(cut) - most
        if over <= 0:
            return cut
        keep -= over
    what = "system message" if conversation.system else "conversation's first message"
    raise ContextFullError(f"The {what} leaves no room for others in the model's context: shorten it.")


def _without_middle(ids: Sequence[int], keep: int, tokenizer: Tokenizer) -> str:
    """Text of the first and last of `ids`, `keep` in all, in whole characters."""
    back = keep // 2
    pieces = (ids[: keep - back], ids[len(ids) - back :])
    begin, end = (b"".join(map(tokenizer.token_bytes, piece)).decode("utf-8", errors="ignore") for piece in pieces)
    return begin.rstrip() + GAP + end.lstrip()
