"""Saved sessions: what comes back is what was saved, and whatever else a file may hold is refused."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.backends.base import Backend, KeyValues
from runtime.backends.choice import open_backend
from runtime.bundle import Bundle
from runtime.chat import ChatTemplate, Message
from runtime.engines.local import LocalEngine
from runtime.errors import SessionFileError
from runtime.events import Finished
from runtime.options import GenerationOptions
from runtime.saved import FORMAT_VERSION, SavedSession
from runtime.session import Session
from runtime.tokenizer import Tokenizer
from tests.conftest import Bundles
from tests.runtime.bundles import talker
from tests.runtime.conftest import NgramBackend

HASH = "a" * 64
ANY_FILE = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def backend() -> NgramBackend:
    return NgramBackend(vocab_size=8, context_length=12, chunk_length=3)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    session = Session(backend())
    session.set_prompt([1, 2, 3])
    session.extend([4, 5])
    session.save(tmp_path / "chat", bundle=HASH)
    return tmp_path / "chat"


@ANY_FILE
@given(
    shape=st.tuples(*[st.integers(0, 3)] * 4),
    prompt=st.integers(0, 3),
    bundle=st.text(st.characters(codec="utf-8"), max_size=64),
    seed=st.integers(0, 9),
)
def test_what_is_read_is_what_was_written(
    tmp_path: Path, shape: tuple[int, int, int, int], prompt: int, bundle: str, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    keys, values = (chance.integers(0, 1 << 16, shape).astype(np.uint16).view(np.float16) for _ in range(2))
    tokens = tuple(chance.integers(0, 1 << 31, shape[2]).tolist())
    SavedSession(bundle, tokens, min(prompt, shape[2]), KeyValues(keys, values)).write(tmp_path / "chat")
    back = SavedSession.read(tmp_path / "chat", bundle=bundle)
    assert (back.tokens, back.prompt_length) == (tokens, min(prompt, shape[2]))
    np.testing.assert_array_equal(back.key_values.keys.view(np.uint16), keys.view(np.uint16))
    np.testing.assert_array_equal(back.key_values.values.view(np.uint16), values.view(np.uint16))


def test_a_restored_session_goes_on_as_the_saved_one(saved: Path) -> None:
    session = Session.restore(backend(), saved, bundle=HASH)
    assert (session.tokens, session.prompt_length, session.room_left) == ((1, 2, 3, 4, 5), 3, 7)
    assert session.set_prompt([1, 2, 3, 4, 5, 6]).fed_tokens == 1
    model = backend()
    np.testing.assert_array_equal(session.last_logits, model.feed([1, 2, 3, 4, 5, 6], model.new_state()))


@ANY_FILE
@given(data=st.data())
def test_a_file_with_any_byte_changed_is_refused(saved: Path, data: st.DataObject) -> None:
    good = saved.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    damaged = bytearray(good)
    damaged[place] ^= data.draw(st.integers(1, 255))
    other = saved.with_name("damaged")
    other.write_bytes(damaged)
    with pytest.raises(SessionFileError):
        SavedSession.read(other, bundle=HASH)


def test_a_file_of_any_other_length_is_refused(saved: Path) -> None:
    good = saved.read_bytes()
    for length in range(len(good)):
        saved.write_bytes(good[:length])
        with pytest.raises(SessionFileError):
            SavedSession.read(saved, bundle=HASH)
    saved.write_bytes(good + b"\0")
    with pytest.raises(SessionFileError, match="damaged"):
        SavedSession.read(saved, bundle=HASH)


@ANY_FILE
@given(content=st.binary(max_size=200))
def test_a_file_of_any_content_is_refused(tmp_path: Path, content: bytes) -> None:
    for begin in (b"", b"FALCSESS", b"FALCSESS" + struct.pack("<I", FORMAT_VERSION)):
        (tmp_path / "chat").write_bytes(begin + content)
        with pytest.raises(SessionFileError):
            SavedSession.read(tmp_path / "chat", bundle=HASH)


def test_every_refusal_says_why(saved: Path, tmp_path: Path) -> None:
    def refused(file: Path, match: str, bundle: str = HASH, model: Backend[Any] | None = None) -> None:
        with pytest.raises(SessionFileError, match=match):
            Session.restore(model or backend(), file, bundle=bundle)

    refused(saved, "another bundle", bundle="b" * 64)
    refused(saved, "another model", model=NgramBackend(vocab_size=8, context_length=4))
    refused(saved, "another model", model=NgramBackend(vocab_size=3, context_length=12))
    refused(tmp_path / "nothing", "no such file")
    refused(tmp_path, "is a folder")
    refused(Path(os.devnull), "it is no file")
    parts = struct.Struct("<8sII")
    nested = b"[" * 60_000  # more than the parser follows down
    prefix = parts.pack(b"FALCSESS", FORMAT_VERSION, len(nested))
    deep = tmp_path / "deep"
    deep.write_bytes(prefix + struct.pack("<I", zlib.crc32(nested, zlib.crc32(prefix))) + nested)
    refused(deep, "is damaged; the conversation has to be read again")
    newer = bytearray(saved.read_bytes())
    newer[8] = FORMAT_VERSION + 1
    saved.write_bytes(newer)
    refused(saved, "update Falconet")


def test_a_file_that_cannot_be_written_is_said_and_leaves_the_old_one(saved: Path, tmp_path: Path) -> None:
    session = Session(backend())
    session.set_prompt([1])
    with pytest.raises(SessionFileError, match="cannot be written"):
        session.save(tmp_path / "missing" / "chat", bundle=HASH)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SessionFileError, match="cannot be written"):
        session.save(tmp_path / "folder", bundle=HASH)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chat", "folder"]
    session.save(saved, bundle=HASH)
    assert Session.restore(backend(), saved, bundle=HASH).tokens == (1,)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes and links")
def test_a_pipe_or_a_device_keeps_its_name_and_a_link_its_end(saved: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(saved)
    (tmp_path / "link-to-pipe").symlink_to(tmp_path / "pipe")
    session = Session(backend())
    session.set_prompt([1])
    for name in ("pipe", "link-to-pipe"):
        with pytest.raises(SessionFileError, match="is a device or a pipe"):
            session.save(tmp_path / name, bundle=HASH)
    assert (tmp_path / "pipe").is_fifo()
    session.save(tmp_path / "link", bundle=HASH)
    assert (tmp_path / "link").is_symlink()
    assert Session.restore(backend(), saved, bundle=HASH).tokens == (1,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chat", "link", "link-to-pipe", "pipe"]


def test_a_full_disk_is_said_and_leaves_the_old_file(small_disk: Path) -> None:
    session = Session(backend())
    session.set_prompt([1])
    session.save(small_disk / "chat", bundle=HASH)
    large = KeyValues(*(np.zeros((2, 1, 1024, 512), np.float16) for _ in range(2)))
    with pytest.raises(SessionFileError, match="No space left"):
        SavedSession(HASH, (0,) * 1024, 0, large).write(small_disk / "chat")
    assert [path.name for path in small_disk.iterdir()] == ["chat"]
    assert Session.restore(backend(), small_disk / "chat", bundle=HASH).tokens == (1,)


@pytest.mark.parametrize("variant", ["7b", "40b"])
def test_one_backend_goes_on_where_another_saved(bundles: Bundles, tmp_path: Path, variant: str) -> None:
    bundle = Bundle.open(bundles(variant, "lut4"))
    ids = [int(token) for token in np.random.default_rng(1).integers(0, 300, 21)]
    opened: dict[str, Backend[Any]] = {name: open_backend(bundle, name) for name in ("torch", "reference")}
    for writer in opened.values():
        session = Session(writer)
        session.set_prompt(ids[:20])
        session.save(tmp_path / "chat", bundle=bundle.hash)
        for reader in opened.values():
            restored = Session.restore(reader, tmp_path / "chat", bundle=bundle.hash)
            fresh = Session(reader)
            fresh.set_prompt(ids)
            assert restored.set_prompt(ids).fed_tokens == 1
            np.testing.assert_allclose(restored.last_logits, fresh.last_logits, rtol=0, atol=2e-2)


def test_an_engine_goes_on_with_a_saved_conversation(small_tokenizer: Tokenizer, tmp_path: Path) -> None:
    def engine() -> LocalEngine:
        model = NgramBackend(vocab_size=small_tokenizer.vocab_size)
        return LocalEngine(Bundle.open(talker()), model, small_tokenizer, ChatTemplate.named("falcon-instruct"))

    def ask(engine: LocalEngine, messages: list[Message]) -> Finished:
        *_, last = engine.chat(messages, GenerationOptions(max_new_tokens=5))
        assert isinstance(last, Finished)
        return last

    first = engine()
    assert first.save_session(tmp_path / "chat") == 0
    assert not (tmp_path / "chat").exists()
    hello = Message("user", "Who are you?")
    answer = ask(first, [hello])
    held = first.save_session(tmp_path / "chat")
    assert held >= answer.stats.prompt_tokens
    assert first.restore_session(tmp_path / "chat") == held  # what is still there is not doubled
    more = [hello, Message("assistant", answer.text, answer.tokens), Message("user", "Are you a fox?")]
    second = engine()
    assert second.restore_session(tmp_path / "chat") == held
    assert ask(second, more).stats.reused_tokens >= answer.stats.prompt_tokens
    damaged = bytearray((tmp_path / "chat").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "chat").write_bytes(damaged)
    third = engine()
    with pytest.raises(SessionFileError, match="has to be read again"):
        third.restore_session(tmp_path / "chat")
    assert ask(third, more).stats.reused_tokens == 0
