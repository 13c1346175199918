"""Names and folders of models, and a checkpoint fetched by name from a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE

import models.tiny
from export.hub import Hub, HubError
from export.progress import SilentProgress
from export.sources import KNOWN, SourceError, resolve, source_hash
from models.checkpoint import Checkpoint
from runtime.chat import TEMPLATES
from tests.export.hub_server import COMMIT, HubServer, files_of, no_proxy
from tests.models.variants import save

OF_THE_HUB = [name for name, model in KNOWN.items() if model.folder is None]


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with no_proxy():
        yield


def checkpoint(folder: Path, shard_size: str = "1GB") -> Path:
    save("7b", folder, max_shard_size=shard_size)
    Tokenizer(BPE()).save(str(folder / "tokenizer.json"))
    return folder


def test_a_name_is_fetched_whole_in_spite_of_a_broken_connection(tmp_path: Path) -> None:
    original = checkpoint(tmp_path / "original", shard_size="100KB")
    known = KNOWN["falcon-7b-instruct"]
    assert known.revision
    files = files_of(original)
    weights = [name for name in files if name.endswith(".safetensors")]
    assert len(weights) > 1
    with HubServer(files, commit=known.revision) as server:
        server.faults.cut = {name: [1_000, 30_000] for name in weights}
        hub = Hub(endpoint=server.endpoint, cache=tmp_path / "cache", pause=0.0)
        source = resolve("falcon-7b-instruct", hub=hub)
        source.fetch_weights()
        assert all(len(server.asked_for(name)) == 3 for name in weights)
    assert source.name == "falcon-7b-instruct"
    assert source.hub_name == "tiiuae/falcon-7b-instruct"
    assert source.chat_template == "falcon-instruct"
    assert source.revision == known.revision
    fetched, here = Checkpoint.open(source.folder), Checkpoint.open(original)
    assert sorted(fetched) == sorted(here)
    assert all(torch.equal(fetched.tensor(name), here.tensor(name)) for name in here)
    assert source_hash(fetched, SilentProgress()) == source_hash(here, SilentProgress())
    # The server is gone by now.
    assert resolve("falcon-7b-instruct", offline=True, hub=hub) == source
    with pytest.raises(HubError, match="or with --offline to use the copy in the cache"):
        resolve("falcon-7b-instruct", hub=hub)


@pytest.mark.parametrize("name", OF_THE_HUB)
def test_every_name_is_fetched_from_its_repository(tmp_path: Path, name: str) -> None:
    known = KNOWN[name]
    commit = known.revision or COMMIT
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"weights"}
    with HubServer(files, repo=known.hub_name, commit=commit) as server:
        hub = Hub(endpoint=server.endpoint, cache=tmp_path, pause=0.0)
        source = resolve(name, hub=hub)
        source.fetch_weights()
        assert resolve(known.hub_name, hub=hub) == source
    assert files_of(source.folder) == files
    assert source.revision == commit


@pytest.mark.parametrize(
    ("name", "template"), [("their-falcon.v2", "raw"), ("Falcon-7B-instruct-tuned", "falcon-instruct")]
)
def test_any_repository_of_the_hub_is_fetched_by_owner_and_name(tmp_path: Path, name: str, template: str) -> None:
    files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"weights"}
    with HubServer(files, repo=f"someone/{name}", commit=COMMIT) as server:
        hub = Hub(endpoint=server.endpoint, cache=tmp_path, pause=0.0)
        source = resolve(f"someone/{name}", hub=hub)
        source.fetch_weights()
        with pytest.raises(
            HubError, match=r"^There is no folder someone/other; as a model of the Hub: someone/other is not on "
        ):
            resolve("someone/other", hub=hub)
        asked = len(server.requests)
        for no_repository in ("someone/../up", "some one/else", "a/b/c", "a//b", "-a/b", "a/b--c", "/a"):
            with pytest.raises(SourceError, match="neither a folder nor a known model"):
                resolve(no_repository, hub=hub)
        assert len(server.requests) == asked
    assert files_of(source.folder) == files
    assert (source.name, source.hub_name, source.revision) == (name, f"someone/{name}", COMMIT)
    assert (source.chat_template, source.is_known) == (template, False)
    assert resolve(f"someone/{name}", offline=True, hub=hub) == source


def test_a_name_that_is_not_in_the_cache_is_not_fetched_offline(tmp_path: Path) -> None:
    hub = Hub(endpoint="http://hub.example", cache=tmp_path)
    with pytest.raises(HubError, match=r"tiiuae/falcon-11B is not in .*; try again without --offline"):
        resolve("falcon-11b", offline=True, hub=hub)


@pytest.mark.parametrize(
    ("name", "template"),
    [("my-falcon", "raw"), ("my-falcon-Instruct", "falcon-instruct"), ("falcon-180B-chat", "falcon-180b-chat")],
)
def test_a_folder_is_used_where_it_lies(tmp_path: Path, name: str, template: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    source = resolve(str(folder), offline=True)
    assert (source.name, source.folder, source.chat_template, source.revision) == (name, folder, template, None)


@pytest.mark.parametrize(
    ("files", "name", "format_name"),
    [
        # A template in the tokenizer's files goes before everything else.
        (
            {"tokenizer_config.json": {"chat_template": r"{{ '\n\nUser: ' + text }}"}},
            "falcon-180b-chat",
            "falcon-instruct",
        ),
        ({"tokenizer_config.json": {"chat_template": "{{ '\n\nUser: ' + text }}"}}, "mine", "falcon-instruct"),
        ({"tokenizer_config.json": {"chat_template": "{{ 'Falcon: ' + text }}"}}, "mine-instruct", "falcon-180b-chat"),
        ({"tokenizer_config.json": {"chat_template": "{{ 'User: ' + 'Assistant: ' + text }}"}}, "mine", "vllm"),
        (
            {"tokenizer_config.json": {"chat_template": [{"name": "default", "template": "Falcon:"}, 5]}},
            "mine",
            "falcon-180b-chat",
        ),
        ({"chat_template.jinja": "Falcon:"}, "mine", "falcon-180b-chat"),
        # Then the model that it was made from, unless that is a base model.
        ({"config.json": {"_name_or_path": "tiiuae/falcon-180B-chat"}}, "mine-instruct", "falcon-180b-chat"),
        ({"config.json": {"_name_or_path": "tiiuae/falcon-7b"}}, "mine-instruct", "falcon-instruct"),
        ({"config.json": {"_name_or_path": "tiiuae/falcon-7b"}}, "mine", "raw"),
        # Then the name; also where the files say nothing that is known, or are damaged.
        ({"tokenizer_config.json": {"chat_template": "<|im_start|>"}}, "mine-chat", "falcon-180b-chat"),
        ({"tokenizer_config.json": [], "config.json": 5}, "mine", "raw"),
        ({"tokenizer_config.json": {"chat_template": 7}, "config.json": {"_name_or_path": None}}, "mine", "raw"),
        ({}, "falcon-40b-instruct", "falcon-instruct"),
    ],
)
def test_the_chat_format_is_what_the_checkpoint_says_before_what_its_name_says(
    tmp_path: Path, files: dict[str, object], name: str, format_name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    for file, value in files.items():
        (folder / file).write_text(value if isinstance(value, str) else json.dumps(value))
    assert resolve(str(folder)).chat_template == format_name
    assert format_name in TEMPLATES


def test_a_folder_of_a_known_name_goes_before_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "falcon-7b").mkdir()
    monkeypatch.chdir(tmp_path)
    source = resolve("falcon-7b", hub=Hub(endpoint="http://hub.example", cache=tmp_path))
    assert source.folder.resolve() == tmp_path / "falcon-7b"
    assert source.hub_name == "tiiuae/falcon-7b"


def test_the_embedded_model_needs_no_hub() -> None:
    source = resolve("Falcon-Tiny-Instruct")
    assert source.folder == models.tiny.FOLDER
    assert source.revision is None


def test_an_unknown_name_gets_the_nearest_known_ones() -> None:
    with pytest.raises(SourceError, match=r"did you mean falcon-7b-instruct or .*falcon-40b-instruct"):
        resolve("falcon-7b-instuct")


def test_a_file_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(SourceError, match="names a home folder that does not exist"):
        resolve("~nobody-of-this-name/falcon")
    with pytest.raises(SourceError, match="is a file; name the folder"):
        resolve(str(file))


def test_the_hash_follows_config_and_weights_alone(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path)
    before = source_hash(Checkpoint.open(folder), SilentProgress())
    (folder / "tokenizer.json").write_bytes(b"{}")
    assert source_hash(Checkpoint.open(folder), SilentProgress()) == before
    with (folder / "config.json").open("a") as config:
        config.write("\n")
    assert source_hash(Checkpoint.open(folder), SilentProgress()) != before
