"""Wire: whatever an engine and its child say to each other arrives as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.chat import Message
from runtime.engines import wire
from runtime.engines.base import EngineInfo
from runtime.errors import BundleError, EngineError
from runtime.events import Finished, Prefilled, ReasoningDelta, Stats, TextDelta, Trimmed
from runtime.mil.errors import PackageError
from runtime.options import CONTEXT_POLICIES, GenerationOptions, Grammar
from runtime.sampling import SamplingConfig, TokenLogprobs

numbers = st.floats(allow_nan=False)
texts = st.text(st.characters())  # half surrogate pairs included
tokens = st.integers(0, 2**31 - 1)
logprobs = st.builds(TokenLogprobs, tokens, numbers, st.lists(st.tuples(tokens, numbers), max_size=3).map(tuple))
some_logprobs = st.lists(logprobs, max_size=2).map(tuple)
many = st.integers(0, 10**9)
stats = st.builds(
    Stats,
    **dict.fromkeys(("prompt_tokens", "reused_tokens", "fed_tokens", "new_tokens", "feeds"), many),
    drafted_tokens=many,
    accepted_tokens=many,
    prefill_seconds=numbers,
    first_token_seconds=st.none() | numbers,
    decode_seconds=numbers,
)
samplings = st.builds(
    SamplingConfig,
    temperature=st.floats(0, 100) | st.integers(0, 100),
    top_k=st.integers(0),
    top_p=st.floats(0.001, 1),
    min_p=st.floats(0, 1),
    typical_p=st.floats(0.001, 1),
    repetition_penalty=st.floats(0.1, 10),
    repetition_window=many,
    presence_penalty=st.floats(-2, 2),
    frequency_penalty=st.floats(-2, 2),
    logit_bias=st.dictionaries(tokens, st.floats(-100, 100), max_size=4),
    order=st.sampled_from(["transformers", "llama.cpp"]),
    seed=st.none() | st.integers(0) | st.just(10**5000),
)
written = st.text()  # whole characters, as options ask for
grammars = st.builds(Grammar, kind=st.sampled_from(["json_schema", "regex"]), text=written.filter(str.strip))
options = st.builds(
    GenerationOptions,
    sampling=samplings,
    max_new_tokens=st.none() | st.integers(1),
    stop=st.lists(written.filter(bool), max_size=3),
    logprobs=st.none() | st.integers(0, 20),
    context_policy=st.sampled_from(CONTEXT_POLICIES),
    grammar=st.none() | grammars,
    prompt_lookup=st.booleans(),
)
events = st.one_of(
    st.builds(Trimmed, texts, many, many),
    st.builds(Prefilled, many, many, numbers),
    st.builds(ReasoningDelta, texts),
    st.builds(TextDelta, texts, many, some_logprobs),
    st.builds(
        Finished,
        st.sampled_from(["stop", "length", "context", "cancelled"]),
        texts,
        st.lists(tokens).map(tuple),
        stats,
        some_logprobs,
    ),
)
messages = st.builds(
    Message, st.sampled_from(["system", "user", "assistant"]), texts.filter(str.strip), st.lists(tokens).map(tuple)
)
infos = st.builds(EngineInfo, model=texts, backend=texts, context_length=st.none() | many)


@given(st.one_of(options, events, messages, infos))
def test_whatever_is_sent_arrives_as_it_was(value: object) -> None:
    line = wire.to_line({"value": wire.pack(value)})
    assert line.count(b"\n") == 1
    message = wire.from_line(line)
    assert message is not None
    arrived = wire.unpack(message["value"])
    assert type(arrived) is type(value)
    assert arrived == value
    assert repr(arrived) == repr(value) if not isinstance(value, GenerationOptions) else True


def test_an_error_arrives_as_its_class_or_as_an_engine_error() -> None:
    for kind in (PackageError, BundleError, EngineError):
        arrived = wire.unpack_error(wire.pack_error(kind("It is broken; mend it.")))
        assert (type(arrived), str(arrived)) == (kind, "It is broken; mend it.")
    given = BundleError("It is broken; mend it.", option=", or leave out --it")
    arrived = wire.unpack_error(wire.pack_error(given))
    assert str(arrived) == str(given) == "It is broken; mend it, or leave out --it."
    assert (arrived.sentence, arrived.option) == ("It is broken; mend it.", ", or leave out --it")
    for module in ("os", "runtime.nowhere", "runtime.chat"):
        arrived = wire.unpack_error({"module": module, "name": "system", "sentence": "x"})
        assert type(arrived) is EngineError


def test_lines_that_are_no_messages_are_skipped() -> None:
    for line in (b"", b"\n", b"[1]\n", b'{"call": 1', b"\xff\n", b'"x"\n', b"[" * 100_000):
        assert wire.from_line(line) is None
