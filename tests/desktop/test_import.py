"""Chats come from this program's JSON, ChatGPT and LM Studio: all of a file or none."""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from desktop.store.errors import StoreError
from desktop.store.records import Figures
from desktop.store.store import Store
from desktop.store.transfer import TransferError, export_chats, import_file
from desktop.store.trees import ChatTree
from runtime import GenerationOptions, SamplingConfig


def node(name: str, parent: str | None, children: list[str], message: dict[str, Any] | None) -> dict[str, Any]:
    return {"id": name, "parent": parent, "children": children, "message": message}


def said(role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    content = {"content_type": "text", "parts": list(parts)}
    return {"author": {"role": role}, "content": content, "create_time": 1.7e9, "metadata": {}} | more


CHATGPT = [
    {
        "title": "Trip",
        "create_time": 1700000000.5,
        "update_time": 1700000100.0,
        "is_archived": True,
        "current_node": "t1",
        "mapping": {
            "root": node("root", None, ["s"], None),
            "s": node("s", "root", ["h"], said("system", "")),
            "h": node(
                "h", "s", ["u"], said("user", "profile", metadata={"is_visually_hidden_from_conversation": True})
            ),
            "u": node("u", "h", ["a", "b"], said("user", {"content_type": "image_asset_pointer"}, "Where?")),
            "a": node("a", "u", ["u2"], said("assistant", "Rome", metadata={"model_slug": "gpt-4o"})),
            "u2": node("u2", "a", [], said("user", "Why Rome?")),
            "b": node("b", "u", ["t1"], said("assistant", "Let me look.", create_time=None)),
            "t1": node("t1", "b", ["c1", "c2"], said("tool", "search result")),
            "c1": node("c1", "t1", [], said("assistant", "Oslo\ue200cite\ue202turn0\ue201.")),
            "c2": node("c2", "t1", [], said("assistant", "Bergen", status="in_progress")),
            "lost": node("lost", "nowhere", [], said("user", "an orphan")),
        },
    },
    {"title": None, "create_time": None, "mapping": {"root": node("root", None, [], None)}, "current_node": None},
    {
        "title": None,
        "mapping": {
            "r": node("r", None, ["s"], None),
            "s": node("s", "r", ["u"], said("system", "Speak like a pirate.")),
            "u": node("u", "s", ["tool"], said("user", "Run it")),
            "tool": node(
                "tool",
                "u",
                ["a"],
                said(
                    "assistant", recipient="python", content={"content_type": "code", "text": "1+1", "language": "py"}
                ),
            ),
            "a": node("a", "tool", ["ring"], said("assistant", content={"content_type": "code", "text": "2"})),
            "ring": node("ring", "a", ["a"], said("user", "again")),
        },
        "current_node": "ring",
    },
]


def described(tree: ChatTree) -> list[tuple[int | None, str, str]]:
    return [(message.parent, message.role, message.text) for message in tree.nodes]


def test_chatgpts_conversations_come_with_branches_and_without_what_was_hidden(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "conversations.json"
    file.write_text(json.dumps(CHATGPT), encoding="utf-8")
    trip, pirate = (store.tree(chat) for chat in import_file(store, file))
    assert described(trip) == [
        (None, "user", "[image]\n\nWhere?"),
        (0, "assistant", "Rome"),
        (1, "user", "Why Rome?"),
        (0, "assistant", "Let me look.\n\nOslo."),
        (0, "assistant", "Let me look.\n\nBergen"),
        (None, "user", "an orphan"),
    ]
    assert [message.text for message in trip.path()] == ["[image]\n\nWhere?", "Let me look.\n\nOslo."]
    assert (trip.title, trip.archived, trip.created, trip.updated) == ("Trip", True, 1700000000.5, 1700000100.0)
    assert (trip.nodes[1].model, trip.nodes[3].created, trip.nodes[4].state) == ("gpt-4o", 1700000000.5, "interrupted")
    assert (pirate.title, pirate.system_prompt) == ("", "Speak like a pirate.")
    assert described(pirate) == [(None, "user", "Run it"), (0, "assistant", "```\n2\n```"), (1, "user", "again")]


def test_chatgpts_archive_is_read_as_it_was_sent(store: Store, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chat.html", "<html>")
        archive.writestr("inner/conversations.json", json.dumps(CHATGPT))
    chats = import_file(store, tmp_path / "export.zip", context_policy="rolling")
    assert [store.chat(chat).options.context_policy for chat in chats] == ["rolling"] * 2


LM_STUDIO = {
    "name": None,
    "pinned": True,
    "createdAt": 1736789912980,
    "systemPrompt": "",
    "usePerChatPredictionConfig": True,
    "perChatPredictionConfig": {
        "fields": [
            {"key": "llm.prediction.systemPrompt", "value": "Be kind."},
            {"key": "llm.prediction.temperature", "value": 0.3},
            {"key": "llm.prediction.topKSampling", "value": 40},
            {"key": "llm.prediction.minPSampling", "value": {"checked": False, "value": 0.05}},
            {"key": "llm.prediction.repeatPenalty", "value": {"checked": True, "value": 1.1}},
            {"key": "llm.prediction.maxPredictedTokens", "value": {"checked": True, "value": 500}},
        ]
    },
    "messages": [
        {
            "versions": [
                {"type": "singleStep", "role": "user", "content": [{"type": "text", "text": "Hi"}]},
                {
                    "type": "singleStep",
                    "role": "user",
                    "content": [{"type": "file", "fileType": "image"}, {"type": "text", "text": "Hello"}],
                },
            ],
            "currentlySelected": 1,
        },
        {
            "versions": [
                {
                    "type": "multiStep",
                    "role": "assistant",
                    "senderInfo": {"senderName": "llama"},
                    "steps": [
                        {
                            "type": "contentBlock",
                            "style": {"type": "thinking"},
                            "content": [{"type": "text", "text": "hmm"}],
                        },
                        {
                            "type": "contentBlock",
                            "content": [{"type": "text", "text": "Hello there."}],
                            "genInfo": {
                                "stats": {
                                    "stopReason": "eosFound",
                                    "tokensPerSecond": 30.5,
                                    "timeToFirstTokenSec": 0.25,
                                    "promptTokensCount": 5,
                                    "predictedTokensCount": 3,
                                }
                            },
                        },
                        {"type": "debugInfoBlock", "debugInfo": "x"},
                        {"type": "contentBlock", "content": [{"type": "text", "text": "Well?"}]},
                    ],
                },
                {"type": "multiStep", "role": "assistant", "steps": []},
                {"type": "multiStep", "role": "assistant", "steps": [{"content": [{"type": "text", "text": "Hey"}]}]},
            ],
            "currentlySelected": 0,
        },
        {"versions": [{"type": "singleStep", "role": "user", "content": [{"type": "text", "text": "Bye"}]}]},
        {"versions": [], "currentlySelected": 4},
    ],
}


def test_lm_studios_conversation_comes_with_versions_as_alternatives(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "1736789912980.conversation.json"
    file.write_text(json.dumps(LM_STUDIO), encoding="utf-8")
    (chat,) = import_file(store, file)
    tree = store.tree(chat)
    assert described(tree) == [
        (None, "user", "Hi"),
        (None, "user", "[image]\n\nHello"),
        (1, "assistant", "Hello there.\n\nWell?"),
        (1, "assistant", "Hey"),
        (2, "user", "Bye"),
    ]
    assert [message.text for message in tree.path()] == ["[image]\n\nHello", "Hello there.\n\nWell?", "Bye"]
    assert (tree.title, tree.pinned, tree.created, tree.system_prompt) == ("", True, 1736789912.98, "Be kind.")
    assert tree.options == GenerationOptions(
        sampling=SamplingConfig(temperature=0.3, top_k=40, repetition_penalty=1.1), max_new_tokens=500
    )
    assert (tree.nodes[2].model, tree.nodes[2].figures) == (
        "llama",
        Figures(
            prompt_tokens=5,
            reused_tokens=0,
            new_tokens=3,
            first_token_seconds=0.25,
            tokens_per_second=30.5,
            reason="stop",
            context_length=None,
        ),
    )


def test_a_role_that_speaks_twice_becomes_one_message(store: Store, tmp_path: Path) -> None:
    said_twice = [
        {"versions": [{"type": "singleStep", "role": "user", "content": [{"type": "text", "text": text}]}]}
        for text in ("one", "two")
    ]
    (tmp_path / "c.json").write_text(json.dumps({"name": "N", "messages": said_twice}))
    (chat,) = import_file(store, tmp_path / "c.json")
    assert described(store.tree(chat)) == [(None, "user", "one\n\ntwo")]


def own(**changes: Any) -> str:
    message = {"parent": None, "role": "user", "text": "x", "created": 5.0, "chosen": None}
    chat = {
        "title": "t",
        "created": 1.0,
        "updated": 1.0,
        "first": 0,
        "messages": [message | changes.pop("message", {})],
    }
    return json.dumps({"format": "falconet-chats", "version": 1, "chats": [chat, chat | changes]})


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("empty.json", b"", "no whole JSON file"),
        ("cut.json", json.dumps(CHATGPT).encode()[:500], "no whole JSON file"),
        ("text.json", b"\xff\xfe\x00garbage", "no whole JSON file"),
        ("deep.json", b"[" * 100_000, "nested too deeply|no whole JSON"),
        ("list.json", b"[]", "holds no chats"),
        ("other.json", b'{"a": 1}', "holds no chats of this program"),
        ("nulls.json", b"[null]", "holds no chats of this program"),
        ("newer.json", b'{"format": "falconet-chats", "version": 2, "chats": []}', "newer version"),
        ("version.json", b'{"format": "falconet-chats", "version": "x", "chats": []}', "is damaged"),
        ("parent.json", own(message={"parent": 0}).encode(), "is damaged"),
        ("chosen.json", own(message={"chosen": 0}).encode(), "is damaged"),
        ("role.json", own(message={"role": "system"}).encode(), "is damaged"),
        ("state.json", own(message={"state": "streaming"}).encode(), "is damaged"),
        ("title.json", own(title=["x"]).encode(), "is damaged"),
        ("first.json", own(first=1).encode(), "is damaged"),
        ("notes.zip", b"PK\x03\x04 cut off", "no whole JSON file"),
    ],
)
def test_a_bad_file_is_one_sentence_and_adds_nothing(
    store: Store, tmp_path: Path, name: str, data: bytes, sentence: str
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(TransferError, match=sentence) as caught:
        import_file(store, file)
    assert str(caught.value).count("\n") == 0
    assert store.chats() == []


def test_bad_archives_are_one_sentence(store: Store, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("photo.txt", "x" * 5000)
    with pytest.raises(TransferError, match=r"holds no conversations\.json"):
        import_file(store, tmp_path / "other.zip")
    with zipfile.ZipFile(tmp_path / "damaged.zip", "w") as archive:
        archive.writestr("conversations.json", json.dumps(CHATGPT))
    data = bytearray((tmp_path / "damaged.zip").read_bytes())
    data[200:260] = bytes(60)
    (tmp_path / "damaged.zip").write_bytes(data)
    with pytest.raises(TransferError, match="is damaged or locked"):
        import_file(store, tmp_path / "damaged.zip")
    with pytest.raises(TransferError, match="could not be read"):
        import_file(store, tmp_path / "missing.json")
    with pytest.raises(TransferError, match="could not be read"):
        import_file(store, tmp_path)
    with pytest.raises(TransferError, match=r"could not be read .*no ordinary file"):
        import_file(store, Path(os.devnull))
    assert store.chats() == []


def test_an_import_that_fills_the_disk_adds_nothing(small_disk: Path, tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "large")) as large:
        chats = [large.new_chat().id for _ in range(8)]
        for chat in chats:
            large.add(chat, None, "user", "x" * 600_000)
        export_chats(large, chats, tmp_path / "large.json", "json")
    with closing(Store.open(small_disk / "store")) as store:
        with pytest.raises(StoreError, match="The disk is full"):
            import_file(store, tmp_path / "large.json")
        assert store.chats() == []
        assert store.new_chat().id > 0
