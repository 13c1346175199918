"""Context policies: what is fed is a legal conversation that fits, says what it lacks, and rarely moves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.bundle import Bundle
from runtime.chat import TEMPLATES, ChatTemplate, Message, check_conversation
from runtime.context import GAP, Fitted, answer_room, fit_continued, fit_messages, fit_prompt, fit_text
from runtime.engines.local import LocalEngine
from runtime.errors import ContextFullError
from runtime.events import Finished, Prefilled, Trimmed
from runtime.options import ContextPolicy, GenerationOptions
from runtime.sampling import SamplingConfig
from runtime.tokenizer import Tokenizer
from tests.runtime.bundles import talker
from tests.runtime.conftest import NgramBackend, small_core

TOKENIZER = Tokenizer(small_core(), eos_token="<|endoftext|>")
INSTRUCT = ChatTemplate.named("falcon-instruct")
CONTEXT = 256
POLICIES: tuple[ContextPolicy, ...] = ("rolling", "truncate-middle")


def options(policy: ContextPolicy, most: int | None = None) -> GenerationOptions:
    return GenerationOptions(
        context_policy=policy, max_new_tokens=most, prompt_lookup=False, sampling=SamplingConfig(temperature=0)
    )


def fit(messages: list[Message], policy: ContextPolicy, template: ChatTemplate = INSTRUCT) -> Fitted:
    return fit_messages(messages, template, TOKENIZER, options(policy), CONTEXT)


def go_on(messages: list[Message], policy: ContextPolicy, tokenizer: Tokenizer = TOKENIZER) -> Fitted:
    return fit_continued(messages, INSTRUCT, tokenizer, options(policy), CONTEXT)


def talk(*sizes: int, system: str | None = None, last: str = "so?") -> list[Message]:
    """A conversation of turns whose question and answer have about so many characters each."""
    out = [] if system is None else [Message("system", system)]
    for number, size in enumerate(sizes):
        text = f"{number} " + "fox dog " * (size // 8)
        out += [Message("user", f"q{text}"), Message("assistant", f"a{text}")]
    return [*out, Message("user", last)]


texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30),
    st.integers(1, 120).map(lambda count: "the quick fox " * count),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    messages = [Message("system", draw(texts)[:60] + "!")] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 8))):
        messages += [Message("user", draw(texts)), Message("assistant", draw(texts))]
    return [*messages, Message("user", draw(texts))]


@settings(max_examples=150, deadline=None)
@given(
    messages=conversations(),
    policy=st.sampled_from(POLICIES),
    template=st.sampled_from([t for t in TEMPLATES.values() if t.system is not None]),
)
@example(messages=talk(last="the quick fox " * 150), policy="truncate-middle", template=INSTRUCT)
@example(  # too long by a token
    messages=[
        Message("system", "the quick fox " * 4 + "the !"),
        Message("user", "0000¡¡¡¡ࠀ𐀀𐀀"),
        Message("assistant", "the quick fox " * 4),
        Message("user", "the quick fox " * 11),
    ],
    policy="truncate-middle",
    template=INSTRUCT,
)
@example(messages=talk(900, 900, 10, last="the quick fox " * 150), policy="truncate-middle", template=INSTRUCT)
@example(
    messages=[Message("system", "0!"), Message("user", "the quick fox " * 25)], policy="rolling", template=INSTRUCT
)
def test_what_is_kept_is_a_legal_conversation_that_fits(
    messages: list[Message], policy: ContextPolicy, template: ChatTemplate
) -> None:
    whole = template.encode(messages, TOKENIZER)
    try:
        fitted = fit(messages, policy, template)
    except ContextFullError:
        alone = [message for message in messages if message.role == "system"] + messages[-1:]
        assert len(template.encode(alone, TOKENIZER)) > CONTEXT // 2
        return
    kept = list(fitted.messages)
    check_conversation(kept)
    assert fitted.ids == template.encode(kept, TOKENIZER)
    room = CONTEXT - len(fitted.ids)
    alone_kept = [message for message in kept if message.role != "system"] == messages[-1:]
    assert room >= CONTEXT // 4 or (policy == "rolling" and alone_kept and room >= 1)
    if messages[0].role == "system":
        assert kept[0] == messages[0]
    if policy == "rolling":
        turns = [message for message in kept if message.role != "system"]
        assert turns == messages[-len(turns) :]
    else:
        assert kept[-1] == messages[-1] or GAP in kept[-1].content
    if len(whole) <= CONTEXT - CONTEXT // 4:
        assert fitted.trimmed is None
        assert kept == messages
    elif kept == messages:  # a last message that is long by itself: it fits, and nothing can be left out
        assert fitted.trimmed is None
        assert policy == "rolling"
    else:
        assert fitted.trimmed == Trimmed(policy, len(messages) - len(kept), len(whole) - len(fitted.ids))


@settings(max_examples=60, deadline=None)
@given(messages=conversations(), policy=st.sampled_from(POLICIES), data=st.data())
def test_a_turn_more_keeps_the_prefix_or_drops_more(
    messages: list[Message], policy: ContextPolicy, data: st.DataObject
) -> None:
    """Where nothing more is left out, the new prompt begins with the old one."""
    try:
        before = fit(messages, policy)
        later = [*messages, Message("assistant", data.draw(texts)), Message("user", data.draw(texts))]
        after = fit(later, policy)
    except ContextFullError:
        return
    cut = any(GAP in message.content for message in (*before.messages, *after.messages))
    dropped = [0 if fitted.trimmed is None else fitted.trimmed.messages for fitted in (before, after)]
    assert dropped[0] <= dropped[1]
    if dropped[0] == dropped[1] and not cut:
        assert after.ids[: len(before.ids)] == before.ids


def test_rolling_keeps_the_system_message_and_drops_whole_turns_from_the_front() -> None:
    messages = talk(*[80] * 12, system="Be brief.")
    fitted = fit(messages, "rolling")
    assert fitted.trimmed is not None
    assert fitted.messages[0] == messages[0]
    assert fitted.messages[1:] == tuple(messages[1 + fitted.trimmed.messages :])
    assert fitted.trimmed.messages % 2 == 0 < fitted.trimmed.messages


def test_truncate_middle_keeps_the_first_turn_and_the_last_ones() -> None:
    messages = talk(*[16] * 20, system="Be brief.")
    fitted = fit(messages, "truncate-middle")
    assert fitted.trimmed is not None
    assert list(fitted.messages[:3]) == messages[:3]
    assert list(fitted.messages[-3:]) == messages[-3:]
    assert len(messages) - len(fitted.messages) == fitted.trimmed.messages > 0


def test_a_long_message_loses_the_middle_of_its_text_which_is_marked() -> None:
    fitted = fit([Message("user", f"Begin {'fox ' * 500}end")], "truncate-middle")
    (message,) = fitted.messages
    assert message.content.startswith("Begin fox")
    assert message.content.endswith("fox end")
    assert message.content.count(GAP) == 1
    assert fitted.trimmed is not None
    assert fitted.trimmed.messages == 0
    assert CONTEXT - CONTEXT // 4 - 8 <= len(fitted.ids) <= CONTEXT - CONTEXT // 4


words = st.lists(
    st.sampled_from(["fox", "the", "naïve", "12345", "dog.", "日本", "(is)", "so\n"]), min_size=1, max_size=9
)


@settings(max_examples=60, deadline=None)
@given(
    turns=st.lists(st.tuples(words, st.integers(1, 120)), min_size=1, max_size=9),
    system=st.booleans(),
    template=st.sampled_from([t for t in TEMPLATES.values() if t.system is not None]),
)
@example(turns=[(["fox"], 500), (["so?"], 1), (["so?"], 1)], system=False, template=INSTRUCT)
@example(turns=[(["so?"], 1), (["fox"], 500), (["so?"], 1), (["so?"], 1)], system=True, template=INSTRUCT)
def test_where_text_is_cut_what_is_fed_fills_the_room(
    turns: list[tuple[list[str], int]], system: bool, template: ChatTemplate
) -> None:
    said = [" ".join(chosen * count) for chosen, count in turns]
    said = said if len(said) % 2 else said[:-1] or said
    messages = [Message("system", "Be brief.")] if system else []
    for number, text in enumerate(said):
        messages.append(Message("assistant" if number % 2 else "user", text))
    fitted = fit(messages, "truncate-middle", template)
    budget = CONTEXT - CONTEXT // 4
    assert len(fitted.ids) <= budget
    if any(GAP in message.content for message in fitted.messages):
        assert len(fitted.ids) >= budget - 8
    elif fitted.trimmed is not None:  # whole turns went, in steps of a quarter of the context
        assert len(fitted.ids) >= budget - CONTEXT // 4 - 2 * (CONTEXT // 4)


def test_a_document_that_was_asked_about_first_is_still_read_when_the_talk_goes_on() -> None:
    paste = "the quick brown fox jumps " * 200
    messages = [Message("user", paste)]
    for _ in range(3):
        fitted = fit(messages, "truncate-middle")
        assert len(fitted.ids) >= CONTEXT - CONTEXT // 4 - 8
        assert len(TOKENIZER.encode(fitted.messages[0].content)) > CONTEXT // 4
        messages += [Message("assistant", "It is about a fox."), Message("user", "And the dog?")]


def test_what_is_far_too_long_is_refused_with_a_number_that_is_true() -> None:
    text = "the lazy dog " * 20_000
    whole = len(TOKENIZER.encode(text))
    refusals: list[Callable[[], Fitted]] = [
        lambda: fit([Message("user", text)], "stop"),
        lambda: fit([Message("user", text)], "rolling"),
        lambda: fit_text(text, TOKENIZER, options("stop"), CONTEXT),
        lambda: go_on([Message("user", "Hi"), Message("assistant", text)], "stop"),
        lambda: go_on([Message("user", text), Message("assistant", "Hi")], "stop"),
    ]
    for refused in refusals:
        with pytest.raises(ContextFullError) as caught:
            refused()
        (said,) = re.findall(r"has at least ([\d,]+) tokens", str(caught.value))
        assert 4 * CONTEXT <= int(said.replace(",", "")) <= whole


@pytest.mark.parametrize("policy", POLICIES)
def test_an_answer_that_is_far_too_long_to_go_on_is_refused_without_being_encoded(policy: ContextPolicy) -> None:
    encoded: list[int] = []

    class Watched(Tokenizer):
        def encode(self, text: str, *, control_tokens: bool = False) -> list[int]:
            encoded.append(len(text))
            return super().encode(text, control_tokens=control_tokens)

    answer = "the lazy dog " * 20_000
    with pytest.raises(ContextFullError, match="The answer fills the model's context: it cannot go on"):
        go_on([*talk(80, 80), Message("assistant", answer)], policy, Watched(small_core(), eos_token="<|endoftext|>"))
    assert max(encoded) < len(answer)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_answer_goes_on_behind_a_long_text_of_which_what_is_left_out_is_counted_whole(policy: ContextPolicy) -> None:
    messages = [Message("user", "the lazy dog " * 4_000), Message("assistant", "I see."), *talk(last="so?")]
    messages.append(Message("assistant", "So it is"))
    fitted = go_on(messages, policy)
    assert fitted.trimmed is not None
    assert fitted.trimmed.tokens == len(INSTRUCT.encode(messages, TOKENIZER, for_answer=False)) - len(fitted.ids)
    assert fitted.messages[-1] == messages[-1]
    assert len(fitted.ids) < CONTEXT


@pytest.mark.parametrize("policy", POLICIES)
def test_of_a_long_text_in_the_talk_what_is_left_out_is_counted_whole(policy: ContextPolicy) -> None:
    messages = talk(last="so?")
    messages = [Message("user", "the lazy dog " * 4_000), Message("assistant", "I see."), *messages]
    fitted = fit(messages, policy)
    assert fitted.trimmed is not None
    assert fitted.trimmed.tokens == len(INSTRUCT.encode(messages, TOKENIZER)) - len(fitted.ids)
    if policy == "truncate-middle":
        text, cut = messages[0].content, fitted.messages[0].content
        begin, end = cut.split(GAP)
        assert text.startswith(begin)
        assert text.strip().endswith(end)


def test_a_cut_falls_between_characters() -> None:
    fitted = fit([Message("user", "日本語🦅" * 200)], "truncate-middle")
    begin, end = fitted.messages[0].content.split(GAP)
    assert set(begin + end) <= set("日本語🦅")


def test_the_turn_before_the_question_is_kept_where_it_fits() -> None:
    messages = talk(80, 80, 100)
    fitted = fit(messages, "rolling")
    assert list(fitted.messages) == messages[-3:]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_system_message_that_leaves_no_room_is_refused_in_a_sentence(policy: ContextPolicy) -> None:
    with pytest.raises(ContextFullError, match="system message"):
        fit(talk(80, 80, system="be good " * 300), policy)


def test_of_a_system_message_and_a_last_one_that_cannot_fit_the_longer_is_to_be_shortened() -> None:
    with pytest.raises(ContextFullError, match=r"message and the last one have .*: shorten the system message\."):
        fit(talk(80, 80, system="be good " * 300), "rolling")
    with pytest.raises(ContextFullError, match=r"message and the last one have .*: shorten the last message\."):
        fit(talk(80, 80, system="be good", last="no " * 400), "rolling")


def test_a_message_alone_that_fits_with_less_room_than_answers_have_loses_nothing() -> None:
    size = CONTEXT - CONTEXT // 8
    message = Message("user", "no " * size)
    while len(INSTRUCT.encode([message], TOKENIZER)) > size:
        message = Message("user", message.content[:-3])
    fitted = fit([message], "rolling")
    assert (fitted.trimmed, fitted.messages) == (None, (message,))
    assert fitted.ids == INSTRUCT.encode([message], TOKENIZER)


def test_a_last_message_that_cannot_fit_is_refused_in_a_sentence() -> None:
    with pytest.raises(ContextFullError, match=r"last message has [\d,]+ tokens .* holds 256 with the answer: shorten"):
        fit(talk(80, 80, last="no " * 400), "rolling")


@settings(max_examples=100, deadline=None)
@given(size=st.integers(1, 3000), policy=st.sampled_from(get_args(ContextPolicy)), most=st.integers(1, 400))
def test_a_long_prompt_loses_its_first_or_its_middle_tokens(size: int, policy: ContextPolicy, most: int) -> None:
    ids = [1000 + place for place in range(size)]
    chosen = options(policy, most)
    if policy == "stop":
        if size > CONTEXT:
            with pytest.raises(ContextFullError, match=f"prompt has {size:,} tokens"):
                fit_prompt(ids, TOKENIZER, chosen, CONTEXT)
        return
    fitted = fit_prompt(ids, TOKENIZER, chosen, CONTEXT)
    budget = CONTEXT - answer_room(CONTEXT)
    assert min(size, budget - CONTEXT // 4) <= len(fitted.ids) <= budget
    assert fitted.ids[-1] == ids[-1]
    assert (fitted.trimmed is None) == (size <= budget)
    if fitted.trimmed is not None:
        assert fitted.trimmed == Trimmed(policy, 0, size - len(fitted.ids))
        assert (fitted.ids[0] == ids[0]) == (policy == "truncate-middle")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("system", [None, "Be brief."])
def test_a_hundred_turns_feed_what_is_new_and_once_again_at_each_drop(
    policy: ContextPolicy, system: str | None
) -> None:
    answer = [*TOKENIZER.encode("\n\nAssistant: I am happy to help."), TOKENIZER.eos_id]
    backend = NgramBackend([answer], vocab_size=TOKENIZER.vocab_size, context_length=4 * CONTEXT)
    engine = LocalEngine(Bundle.open(talker()), backend, TOKENIZER, INSTRUCT)
    messages = [] if system is None else [Message("system", system)]
    new = fed = drops = again = 0
    trimmed: Trimmed | None = None
    for number in range(100):
        messages.append(Message("user", f"{number}: the lazy dog" + " and the fox" * (number % 3)))
        events = list(engine.chat(messages, options(policy, 4 + number % 7)))
        finished = events[-1]
        assert isinstance(finished, Finished)
        news = events[0] if isinstance(events[0], Trimmed) else None
        assert isinstance(events[0 if news is None else 1], Prefilled)
        assert not any(isinstance(event, Trimmed) for event in events[1:])
        if (0 if news is None else news.messages) != (0 if trimmed is None else trimmed.messages):
            drops += 1
            again += finished.stats.prompt_tokens
        trimmed = news
        new += len(TOKENIZER.encode(f"\n\nUser: {messages[-1].content}\n\nAssistant:"))
        fed += finished.stats.fed_tokens
        messages.append(Message("assistant", finished.text, finished.tokens))
    assert 5 < drops < 25
    assert fed <= new + again + 2 * 100  # an answer's last token was chosen, not fed
    assert again <= drops * 4 * CONTEXT // 2


@pytest.mark.parametrize("policy", POLICIES)
def test_an_answer_that_fills_the_context_says_so(policy: ContextPolicy) -> None:
    count = TOKENIZER.encode("fox dog " * 300)
    backend = NgramBackend([count], vocab_size=TOKENIZER.vocab_size, context_length=CONTEXT)
    engine = LocalEngine(Bundle.open(talker()), backend, TOKENIZER, INSTRUCT)
    first, *_, last = engine.complete("fox dog " * 290, options(policy))
    assert isinstance(first, Trimmed)
    assert isinstance(last, Finished)
    assert last.reason == "context"
    assert last.stats.prompt_tokens + len(last.tokens) == CONTEXT
