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
_LONG = 1 << 15  # characters from where on a text is counted before it is encoded
_COUNTED = 4  # contexts of tokens that are counted of what is too long; more would take seconds
_LEAST_TEXT = 16  # tokens of a message that stay whatever comes, beside the format's words
_SLACK = 4  # tokens of the room that may stay empty
_TRIES = 8
_BEGIN_ANEW = "shorten the last message or begin a new conversation"
_ANSWER_FILLS = "The answer fills the model's context: it cannot go on; ask for the rest instead."


@dataclass(frozen=True)
class Fitted:
    """What is fed: `ids`, and for a conversation the messages that they spell. `trimmed` is None where all of it is."""

    ids: list[int]
    trimmed: Trimmed | None = None
    messages: tuple[Message, ...] = ()


def answer_room(context_length: int) -> int:
    """Tokens that a policy that drops keeps free for the answer: a quarter of the context, whatever the options are,
    so that what is kept depends on the messages alone."""
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
    if options.context_policy == "stop":
        return _fit_whole(messages, template, tokenizer, context_length, for_answer=True)
    budget = context_length - answer_room(context_length)
    ids: list[int] = []
    if not _are_long(messages) or template.count_up_to(messages, tokenizer, budget + 1) <= budget:
        ids = template.encode(messages, tokenizer)
        if len(ids) <= budget:
            return Fitted(ids, None, tuple(messages))
    conversation = _Conversation(messages, template, tokenizer, 2 * context_length)
    choose = _roll if options.context_policy == "rolling" else _cut_middle
    kept, dropped = choose(conversation, budget, context_length // 4)
    if options.context_policy == "rolling":
        size = template.count_up_to(kept, tokenizer, _COUNTED * context_length)
        if size >= context_length:
            what, longer = "The last message has", "it"
            if conversation.system:
                what = "The system message and the last one have"
                longer = "the system message" if len(kept[0].content) > len(kept[-1].content) else "the last message"
            raise ContextFullError(
                f"{what} {_said(size, context_length)} tokens and the model's context holds {context_length:,} with "
                f"the answer: shorten {longer}."
            )
    fed = template.encode(kept, tokenizer)
    whole = len(ids) or len(template.encode(messages, tokenizer))  # to tell how much was left out, all is counted
    trimmed = Trimmed(options.context_policy, dropped, whole - len(fed)) if dropped or whole > len(fed) else None
    return Fitted(fed, trimmed, tuple(kept))


def fit_text(text: str, tokenizer: Tokenizer, options: GenerationOptions, context_length: int) -> Fitted:
    """The tokens of a text to be continued, as `fit_prompt` feeds them. Raises as `fit_prompt` and `Tokenizer.encode`;
    of a text that is far too long only as much is encoded as shows it."""
    if options.context_policy == "stop" and len(text) > _LONG:
        counted = tokenizer.count_up_to(text, _COUNTED * context_length)
        _check_size(counted, context_length, "prompt", "shorten it")
    return fit_prompt(tokenizer.encode(text), tokenizer, options, context_length)


def fit_continued(
    messages: Sequence[Message],
    template: ChatTemplate,
    tokenizer: Tokenizer,
    options: GenerationOptions,
    context_length: int,
) -> Fitted:
    """`messages`, whose last is an answer that goes on, as the policy of `options` feeds them.

    What was kept when the answer was begun is kept again, so that nothing is read anew, until the answer has no room
    beside it; then the policy cuts once more, as for a context that is shorter by the answer. Raises as `fit_messages`.
    """
    if options.context_policy == "stop":
        return _fit_whole(messages, template, tokenizer, context_length, for_answer=False)
    *before, answer = messages
    if _are_long([answer]):
        size = _Conversation(before, template, tokenizer, context_length).answer_size(answer)
        if size >= context_length:
            raise ContextFullError(_ANSWER_FILLS)
    fitted = fit_messages(before, template, tokenizer, options, context_length)
    fed = template.encode([*fitted.messages, answer], tokenizer, for_answer=False)
    if len(fed) >= context_length:
        room = context_length - (len(fed) - len(fitted.ids))
        if room < context_length // 4:
            raise ContextFullError(_ANSWER_FILLS)
        fitted = fit_messages(before, template, tokenizer, options, room)
        fed = template.encode([*fitted.messages, answer], tokenizer, for_answer=False)
    if fitted.trimmed is None:
        return Fitted(fed, None, tuple(messages))
    whole = len(template.encode(messages, tokenizer, for_answer=False))  # to tell how much was left out
    trimmed = Trimmed(options.context_policy, fitted.trimmed.messages, whole - len(fed))
    return Fitted(fed, trimmed, (*fitted.messages, answer))


def fit_prompt(ids: list[int], tokenizer: Tokenizer, options: GenerationOptions, context_length: int) -> Fitted:
    """The tokens of a text to be continued, as the policy of `options` feeds them: `rolling` leaves out the first,
    `truncate-middle` those after the first quarter, both in steps. ContextFullError under `stop` for too many."""
    if options.context_policy == "stop":
        _check_size(len(ids), context_length, "prompt", "shorten it", exact=True)
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


def _fit_whole(
    messages: Sequence[Message], template: ChatTemplate, tokenizer: Tokenizer, context_length: int, *, for_answer: bool
) -> Fitted:
    """All of `messages`. ContextFullError for more tokens than the context holds: of what is far too long only as much
    is encoded as shows it."""
    if _are_long(messages):
        counted = template.count_up_to(messages, tokenizer, _COUNTED * context_length, for_answer=for_answer)
        _check_size(counted, context_length, "conversation", _BEGIN_ANEW)
    ids = template.encode(messages, tokenizer, for_answer=for_answer)
    _check_size(len(ids), context_length, "conversation", _BEGIN_ANEW, exact=True)
    return Fitted(ids, None, tuple(messages))


def _are_long(messages: Sequence[Message]) -> bool:
    return sum(len(message.content) for message in messages) > _LONG


def _check_size(size: int, most: int, what: str, remedy: str, *, exact: bool = False) -> None:
    if size > most:
        said = f"{size:,}" if exact else _said(size, most)
        raise ContextFullError(f"The {what} has {said} tokens and the model's context holds {most:,}: {remedy}.")


def _said(size: int, context_length: int) -> str:
    """A size that was counted up to _COUNTED contexts."""
    return f"at least {size:,}" if size >= _COUNTED * context_length else f"{size:,}"


class _Conversation:
    """Messages in turns, and the tokens that each takes where it follows an answer: exact, as no turn changes the ids
    of another (ChatTemplate.encode). The last turn is a question only. Of a longer message than `most` tokens, which
    fits nowhere, the size is `most`."""

    def __init__(self, messages: Sequence[Message], template: ChatTemplate, tokenizer: Tokenizer, most: int) -> None:
        self.template = template
        self.tokenizer = tokenizer
        self.most = most
        self.system = list(messages[:1]) if messages[0].role == "system" else []
        rest = messages[len(self.system) :]
        self.turns = [list(rest[place : place + 2]) for place in range(0, len(rest), 2)]
        self._opening = [Message("user", "x")]
        self._opening_size = len(template.encode(self._opening, tokenizer))
        self._before = [*self._opening, Message("assistant", "x")]
        self._before_size = len(template.encode(self._before, tokenizer, for_answer=False))

    def question_size(self, question: Message) -> int:
        """Tokens of a user's message and the words that ask for its answer."""
        size = self.template.count_up_to([*self._before, question], self.tokenizer, self._before_size + self.most)
        return min(size - self._before_size, self.most)

    def answer_size(self, answer: Message) -> int:
        """Tokens of an answer."""
        whole = [*self._opening, answer]
        enough = self._opening_size + self.most
        size = self.template.count_up_to(whole, self.tokenizer, enough, for_answer=False)
        return min(size - self._opening_size, self.most)

    def message_size(self, message: Message) -> int:
        """Tokens of a question or an answer."""
        return self.question_size(message) if message.role == "user" else self.answer_size(message)

    def size(self, messages: Sequence[Message]) -> int:
        """Tokens of a conversation, ready for an answer."""
        return min(self.template.count_up_to(messages, self.tokenizer, self.most), self.most)


def _roll(conversation: _Conversation, budget: int, step: int) -> tuple[list[Message], int]:
    """The system message and the last turns; how many messages are left out."""
    questions = [conversation.question_size(turn[0]) for turn in conversation.turns]
    answers = [conversation.answer_size(turn[1]) for turn in conversation.turns[:-1]]
    leads: dict[int, int] = {}

    def lead(turn: int) -> int:
        """What more a question takes as the first: the system message is before it."""
        if turn not in leads:
            alone = conversation.size([*conversation.system, conversation.turns[turn][0]])
            leads[turn] = alone - questions[turn] if alone < conversation.most else 0  # it does not fit anyway
        return leads[turn]

    first = _first_kept(questions, answers, lead, budget, step)
    kept = [message for turn in conversation.turns[first:] for message in turn]
    return [*conversation.system, *kept], 2 * first


def _cut_middle(conversation: _Conversation, budget: int, step: int) -> tuple[list[Message], int]:
    """The first turns, in a quarter of the budget or, for the first of all, two, and the last ones; how many messages
    are left out. Long messages lose the middle of their texts until all that is kept fits, and no more than that; a
    message that is as short as `least` leaves whole turns to go before it."""
    system, turns = conversation.system, conversation.turns
    stub = Message("user", "x")
    bare, stub_size = conversation.size([*system, stub]), conversation.question_size(stub)
    quarter = (budget - bare) // 4
    least = min(quarter, stub_size + max(budget // 16, _LEAST_TEXT))
    sizes = [[min(conversation.message_size(message), least) for message in turn] for turn in turns]
    begin, taken = 1, sum(sizes[0])
    while begin < len(turns) - 1 and taken + sum(sizes[begin]) <= quarter:
        taken += sum(sizes[begin])
        begin += 1
    first = 0
    if begin < len(turns):
        room = budget - (bare - stub_size) - taken
        later = sizes[begin:]
        first = _first_kept([s[0] for s in later], [s[1] for s in later[:-1]], lambda _: 0, room, step)
    kept = [message for turn in (*turns[:begin], *turns[begin + first :]) for message in turn]
    return [*system, *_filled(kept, conversation, budget)], 2 * first


def _filled(messages: Sequence[Message], conversation: _Conversation, budget: int) -> list[Message]:
    """`messages`, the longest cut to about one length, so that with the system message they fill `budget` tokens.
    ContextFullError where the budget is too small for them."""
    sizes = [conversation.message_size(message) for message in messages]
    best: list[Message] = []
    best_size = 0
    target = budget
    for _ in range(_TRIES):
        limits = _levelled(sizes, target)
        cut = [
            message if size <= limit else _shortened(message, conversation, limit)
            for message, size, limit in zip(messages, sizes, limits, strict=True)
        ]
        found = [message for message in cut if message is not None]
        size = conversation.size([*conversation.system, *found]) if len(found) == len(messages) else budget + 1
        if best_size < size <= budget:
            best, best_size = found, size
        if budget - _SLACK <= size <= budget or (size <= budget and limits == sizes):
            break
        target = min(target, sum(sizes)) + budget - size
    if not best:
        what = "system message" if conversation.system else "conversation's first message"
        raise ContextFullError(f"The {what} leaves no room for others in the model's context: shorten it.")
    return best


def _levelled(sizes: Sequence[int], target: int) -> list[int]:
    """`sizes`, the largest lowered to one level, so that they sum to `target` at most."""
    limits = list(sizes)
    left = target
    for place, index in enumerate(sorted(range(len(sizes)), key=lambda index: sizes[index])):
        limits[index] = min(sizes[index], max(left, 0) // (len(sizes) - place))
        left -= limits[index]
    return limits


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


def _shortened(message: Message, conversation: _Conversation, most: int) -> Message | None:
    """`message`, which has more than `most` tokens, without the middle of its text: `most` tokens or a few less. None
    where nothing remains."""
    first, last = conversation.tokenizer.encode_ends(message.content.strip(), most + 1)
    fits, too_many = 0, min(most + 1, len(first))  # tokens of the text
    keep = too_many - 1
    best: Message | None = None
    while fits < keep < too_many:
        cut = Message(message.role, _without_middle(first, last, keep, conversation.tokenizer))
        over = conversation.message_size(cut) - most
        if over > 0:
            too_many = keep
        else:
            fits, best = keep, cut
            if over >= -_SLACK // 2:
                break
        keep = min(max(keep - over, fits + 1), too_many - 1)
    return best


def _without_middle(first: Sequence[int], last: Sequence[int], keep: int, tokenizer: Tokenizer) -> str:
    """Text of the first and last ids of a text, `keep` in all, in whole characters."""
    back = keep // 2
    pieces = (first[: keep - back], last[len(last) - back :])
    begin, end = (b"".join(map(tokenizer.token_bytes, piece)).decode("utf-8", errors="ignore") for piece in pieces)
    return begin.rstrip() + GAP + end.lstrip()
