"""Wrong use of the library's public names is one sentence, raised where the wrong argument was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from runtime import (
    Bundle,
    ChatTemplate,
    GenerationOptions,
    Grammar,
    LocalEngine,
    Message,
    ProcessEngine,
    RemoteEngine,
    SamplingConfig,
    Session,
    Tokenizer,
    UserFacingError,
    embedded_bundle,
    generate,
    memory_needs,
    module_command,
    run_module,
)
from runtime.manifest import Manifest
from tests.runtime.bundles import talker
from tests.runtime.conftest import NgramBackend, small_core

Use = Callable[[Any], object]
WRONG: tuple[Any, ...] = (5, 2.5, b"x", [], {}, object(), [object()])  # neither a text nor None nor of the library
NO_PATH = (None, *WRONG, "a\0b", "a\ud800", "a" * 5000)
NO_LIST = (None, 5, "x", b"x", object(), [object()], [None], [[1], [1, 2]])

TOKENIZER = Tokenizer(small_core(), eos_token="<|endoftext|>")
TEMPLATE = ChatTemplate.named("falcon-instruct")
HELLO = [Message("user", "Hello!")]
BACKEND = NgramBackend(vocab_size=TOKENIZER.vocab_size)


def session() -> Session[Any]:
    return Session(BACKEND)


def bundle() -> Bundle:
    return Bundle.open(talker())


def local(**arguments: Any) -> LocalEngine:
    given: dict[str, Any] = {
        "bundle": bundle(),
        "backend": BACKEND,
        "tokenizer": TOKENIZER,
        "template": TEMPLATE,
    } | arguments
    return LocalEngine(**given)


def answer(**arguments: Any) -> object:
    given: dict[str, Any] = {"session": session(), "prompt": [1], "tokenizer": TOKENIZER} | arguments
    return generate(**given)


USES: list[tuple[str, Use, tuple[Any, ...]]] = [
    ("Bundle, folder", lambda wrong: Bundle(wrong, Manifest.read(talker())), NO_PATH[:-1]),
    ("Bundle, manifest", lambda wrong: Bundle(talker(), wrong), (None, *WRONG)),
    ("Bundle.open", lambda wrong: Bundle.open(wrong), NO_PATH),
    ("Bundle.verify", lambda wrong: bundle().verify(wrong), WRONG),
    ("Bundle.array", lambda wrong: bundle().array(wrong), (None, *WRONG)),
    ("ChatTemplate.named", ChatTemplate.named, (None, "nonsense", *WRONG)),
    ("ChatTemplate.encode, messages", lambda wrong: TEMPLATE.encode(wrong, TOKENIZER), NO_LIST),
    ("ChatTemplate.encode, tokenizer", lambda wrong: TEMPLATE.encode(HELLO, wrong), (None, *WRONG)),
    ("ChatTemplate.render", TEMPLATE.render, NO_LIST),
    ("ChatTemplate.stop_ids", TEMPLATE.stop_ids, (None, *WRONG)),
    ("Grammar, kind", lambda wrong: Grammar(kind=wrong, text="x"), (None, "x", *WRONG)),
    ("Grammar, text", lambda wrong: Grammar(kind="regex", text=wrong), (None, "", "\ud800", *WRONG)),
    ("LocalEngine, bundle", lambda wrong: local(bundle=wrong), (None, *WRONG)),
    ("LocalEngine, backend", lambda wrong: local(backend=wrong), (None, *WRONG)),
    ("LocalEngine, tokenizer", lambda wrong: local(tokenizer=wrong), (None, *WRONG)),
    ("LocalEngine, template", lambda wrong: local(template=wrong), (None, *WRONG)),
    ("LocalEngine, most_sessions", lambda wrong: local(most_sessions=wrong), (None, 0, True, *WRONG[1:])),
    ("LocalEngine.open", LocalEngine.open, NO_PATH),
    ("ProcessEngine.open", ProcessEngine.open, NO_PATH[:-1]),
    ("ProcessEngine.open, limits", lambda wrong: ProcessEngine.open(talker(), limits=wrong), WRONG),
    ("embedded_bundle, notice", lambda wrong: embedded_bundle(notice=wrong), ("x", *WRONG)),
    ("embedded_bundle, cancelled", lambda wrong: embedded_bundle(cancelled=wrong), (None, "x", *WRONG)),
    ("memory_needs", memory_needs, (None, "x", *WRONG)),
    ("module_command", module_command, (None, *WRONG)),
    ("module_command, arguments", lambda wrong: module_command("runtime", wrong), (None, *WRONG)),
    ("run_module", run_module, NO_LIST),
    ("Message, role", lambda wrong: Message(wrong, "Hello"), (None, "tool", *WRONG)),
    ("Message, content", lambda wrong: Message("user", wrong), (None, "", *WRONG)),
    ("Message, tokens", lambda wrong: Message("assistant", "x", wrong), (*NO_LIST, [True], [1.0], {1: 2})),
    ("RemoteEngine.open", RemoteEngine.open, (None, "x", *WRONG)),
    ("Session", Session, (None, "x", *WRONG)),
    ("Session, held", lambda wrong: Session(BACKEND, wrong), ("x", *WRONG)),
    ("Session, tokens", lambda wrong: Session(BACKEND, None, wrong), NO_LIST),
    ("Session.set_prompt", lambda wrong: session().set_prompt(wrong), (*NO_LIST, [], [-1], [1 << 70])),
    ("Session.set_prompt, cancelled", lambda wrong: session().set_prompt([1], cancelled=wrong), (None, "x", *WRONG)),
    ("Session.extend", lambda wrong: session().extend(wrong), (*NO_LIST, [])),
    ("Session.truncate", lambda wrong: session().truncate(wrong), (None, "x", -1, *WRONG)),
    ("Session.fork", lambda wrong: session().fork(wrong), (None, "x", -1, *WRONG)),
    ("Session.save", lambda wrong: session().save(wrong, bundle="x"), NO_PATH),
    ("Session.restore", lambda wrong: Session.restore(BACKEND, wrong, bundle="x"), NO_PATH),
    ("Session.restore, backend", lambda wrong: Session.restore(wrong, "x", bundle="x"), (None, *WRONG)),
    ("Tokenizer", Tokenizer, (None, "x", *WRONG)),
    ("Tokenizer, eos_token", lambda wrong: Tokenizer(small_core(), eos_token=wrong), WRONG),
    ("Tokenizer, config", lambda wrong: Tokenizer(small_core(), config=wrong), (None, 5, "x", [])),
    ("Tokenizer.open", Tokenizer.open, NO_PATH),
    ("Tokenizer.encode", TOKENIZER.encode, (None, "\ud800", *WRONG)),
    ("Tokenizer.decode", TOKENIZER.decode, (None, 5, "x", object(), [object()], [None], [[]], [1.5])),
    ("Tokenizer.token_bytes", TOKENIZER.token_bytes, (None, "x", -1, 1 << 70, [], {}, object(), 2.5)),
    ("Tokenizer.control_id", TOKENIZER.control_id, (None, "x", *WRONG)),
    ("generate, session", lambda wrong: answer(session=wrong), (None, *WRONG)),
    ("generate, prompt", lambda wrong: answer(prompt=wrong), (*NO_LIST, [])),
    ("generate, tokenizer", lambda wrong: answer(tokenizer=wrong), (None, *WRONG)),
    ("generate, options", lambda wrong: answer(options=wrong), (None, *WRONG)),
    ("generate, stop", lambda wrong: answer(stop=wrong), (None, 5, "x", [""], [None])),
    ("generate, stop_ids", lambda wrong: answer(stop_ids=wrong), (None, 5, "x", [None], [1.5])),
    ("generate, trim", lambda wrong: answer(trim=wrong), (None, 5, "x")),
    ("generate, cancelled", lambda wrong: answer(cancelled=wrong), (None, *WRONG)),
    *(
        (f"{kind.__name__}, {field.name}", lambda wrong, kind=kind, name=field.name: kind(**{name: wrong}), WRONG[5:])
        for kind in (GenerationOptions, SamplingConfig)
        for field in fields(kind)
    ),
    *(
        (
            f"ChatTemplate, {field.name}",
            lambda wrong, name=field.name: ChatTemplate(**({"name": "", "user": "", "assistant": ""} | {name: wrong})),
            WRONG[5:],
        )
        for field in fields(ChatTemplate)
    ),
    *(
        (
            f"{kind.__name__}.open, {name}",
            lambda wrong, kind=kind, name=name: kind.open(talker(), **{name: wrong}),
            WRONG,
        )
        for kind in (LocalEngine, ProcessEngine)
        for name in ("backend", "compute_units", "template")
    ),
    *(
        (
            f"RemoteEngine.open, {name}",
            lambda wrong, name=name: RemoteEngine.open("http://127.0.0.1:9/v1", **({"model": "x"} | {name: wrong})),
            WRONG[2:],
        )
        for name in ("model", "api_key", "context_length", "connect_seconds", "read_seconds")
    ),
    ("read_seconds", lambda wrong: RemoteEngine.open("http://h", model="x", read_seconds=wrong), (0, -1, 10**400)),
    ("max_new_tokens", lambda wrong: GenerationOptions(max_new_tokens=wrong), (0, True, 1.5, -(10**5000))),
]


@pytest.mark.parametrize(("use", "wrong"), [pytest.param(use, wrong, id=name) for name, use, wrong in USES])
def test_wrong_use_is_one_sentence(use: Use, wrong: tuple[Any, ...]) -> None:
    for value in wrong:
        with pytest.raises(UserFacingError) as caught:
            use(value)
        assert str(caught.value)
        assert "\n" not in str(caught.value)


def test_ids_in_a_list_are_as_good_as_in_a_tuple() -> None:
    assert Message("assistant", "x", [1, 2]) == Message("assistant", "x", (1, 2))  # type: ignore[arg-type]


def test_numbers_of_numpy_s_are_as_good_as_python_s() -> None:
    made = SamplingConfig(seed=np.int64(3), temperature=np.float32(0.5), top_k=np.uint8(4))  # type: ignore[arg-type]
    assert made == SamplingConfig(seed=3, temperature=0.5, top_k=4)
    assert [type(value) for value in (made.seed, made.temperature, made.top_k)] == [int, float, int]
    assert GenerationOptions(max_new_tokens=np.int64(9)) == GenerationOptions(max_new_tokens=9)  # type: ignore[arg-type]
    with pytest.raises(UserFacingError, match="temperature must be a number"):
        SamplingConfig(temperature=np.bool_(True))  # type: ignore[arg-type]
