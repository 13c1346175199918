"""Downloads from a server on this machine that breaks, refuses and lies, judged by the bytes and by huggingface_hub."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from export.hub import Hub, HubError
from export.progress import SilentProgress
from tests import patience
from tests.export.hub_server import (
    COMMIT,
    FILES,
    REPO,
    SPARE,
    WEIGHTS,
    HubServer,
    Recorder,
    blob,
    content,
    fetch,
    get,
    no_proxy,
    noise,
)
from tests.ports import deaf_port

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with no_proxy():
        yield


@pytest.fixture
def new_session() -> Iterator[None]:
    """For what the environment says of proxies: a session reads it once."""
    huggingface_hub.close_session()
    yield
    huggingface_hub.close_session()


def partial(hub: Hub, name: str) -> Path:
    path = blob(hub, name)
    return path.with_name(f"{path.name}.incomplete")


def test_the_files_that_an_export_needs_are_fetched_and_no_others(
    hub: Hub, server: HubServer, capfd: pytest.CaptureFixture[str]
) -> None:
    snapshot = get(hub)
    assert content(snapshot.folder) == FILES
    assert snapshot.revision == COMMIT
    assert not [r for r in server.requests if any(r.path.endswith(f"/{name}") for name in SPARE)]
    assert capfd.readouterr() == ("", "")  # no bars and no warnings of a library's own


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.safetensors"])
def test_a_single_weight_file_is_fetched(hub: Hub, server: HubServer, weights: str) -> None:
    texts = {name: data for name, data in FILES.items() if "model" not in name}
    server.files = texts | {weights: noise(1_000), "tf_model.h5": b"h5"}
    assert content(get(hub).folder) == texts | {weights: noise(1_000)}


def test_bin_files_are_fetched_where_there_are_no_safetensors(hub: Hub, server: HubServer) -> None:
    texts = {name: data for name, data in FILES.items() if "model" not in name}
    shards = {f"pytorch_model-0000{n}-of-00002.bin": noise(1_000 + n) for n in (1, 2)}
    index = {"pytorch_model.bin.index.json": b"{}"}
    server.files = texts | shards | index | {"rust_model.ot": b"ot"}
    assert content(get(hub).folder) == texts | shards | index


def test_a_single_file_goes_before_shards(hub: Hub, server: HubServer) -> None:
    texts = {name: data for name, data in FILES.items() if "model" not in name}
    server.files = FILES | {"model.safetensors": noise(1_000)}
    assert content(get(hub).folder) == texts | {"model.safetensors": noise(1_000)}
    again = fetch(REPO, "main", SilentProgress(), hub=hub, offline=True)
    assert content(again.folder) == texts | {"model.safetensors": noise(1_000)}


def test_a_connection_that_breaks_goes_on_with_the_byte_that_is_missing(hub: Hub, server: HubServer) -> None:
    server.faults.cut = {WEIGHTS: [150_000, 1, 0, 120_000]}
    progress = Recorder()
    assert content(get(hub, progress).folder) == FILES
    ranges = [request.headers.get("range") for request in server.asked_for(WEIGHTS)]
    assert ranges == [None, "bytes=150000-", "bytes=150001-", "bytes=150001-", "bytes=270001-"]
    total = sum(len(data) for data in FILES.values())
    assert progress.stages == [("download", total, "bytes")]
    assert progress.done == sorted(progress.done)
    texts = sum(len(data) for name, data in FILES.items() if "model" not in name)  # came before it
    assert (progress.done[0], progress.done[-1], progress.finished) == (texts, total, 1)


def test_a_server_that_cannot_resume_is_asked_for_the_whole_file_again(hub: Hub, server: HubServer) -> None:
    server.faults.cut = {WEIGHTS: [150_000]}
    server.faults.no_ranges = True
    progress = Recorder()
    assert content(get(hub, progress).folder) == FILES
    assert progress.done[-1] == max(progress.done) == progress.stages[0][1]


def test_a_server_that_can_neither_resume_nor_end_a_file_is_given_up(hub: Hub, server: HubServer) -> None:
    server.faults.cut = {WEIGHTS: [150_000] * 100}
    server.faults.no_ranges = True
    with pytest.raises(HubError, match="does not send the rest"):
        get(hub)


def test_a_connection_that_falls_silent_is_left_and_resumed(hub: Hub, server: HubServer) -> None:
    server.faults.stall = {WEIGHTS: 200_000}
    impatient = Hub(endpoint=hub.endpoint, cache=hub.cache, pause=0.0, timeout=3.0)  # a busy server is silent, too
    assert content(get(impatient).folder) == FILES
    assert [request.headers.get("range") for request in server.asked_for(WEIGHTS)] == [None, "bytes=200000-"]


def test_a_killed_download_goes_on_in_the_next_run(hub: Hub, server: HubServer) -> None:
    server.faults.stall = {WEIGHTS: 200_000}
    code = "from export.hub import begin_fetch; from export.progress import SilentProgress as P; import sys\n"
    code += "begin_fetch(sys.argv[1], 'main', P()).fetch_weights()"
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(hub.cache), "HF_TOKEN": "hf_secret"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, REPO], cwd=ROOT, env={**os.environ, **environment, "HF_HUB_OFFLINE": "0"}
    )
    assert server.stalled.wait(patience.SECONDS)
    begun = partial(hub, WEIGHTS)
    patience.until(lambda: begun.exists() and begun.stat().st_size == 200_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert server.requests[0].headers["authorization"] == "Bearer hf_secret"
    server.go_on.set()
    server.requests.clear()
    with pytest.raises(HubError, match="only partly in"):
        fetch(REPO, "main", SilentProgress(), hub=hub, offline=True)
    progress = Recorder()
    assert content(get(hub, progress).folder) == FILES
    assert [request.headers.get("range") for request in server.asked_for(WEIGHTS)] == ["bytes=200000-"]
    assert not server.asked_for("tokenizer.json")
    assert progress.done[0] >= 200_000  # what is there does not count in the rate
    assert progress.done[-1] == progress.stages[0][1]


@pytest.mark.parametrize("revision", ["main", COMMIT])
def test_offline_uses_the_cache_and_asks_nothing(hub: Hub, server: HubServer, revision: str) -> None:
    first = get(hub, revision=revision)
    server.requests.clear()
    assert fetch(REPO, revision, SilentProgress(), hub=hub, offline=True) == first
    assert server.requests == []


def test_the_environment_can_forbid_the_network(hub: Hub, server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=r"is not in .*; try again with HF_HUB_OFFLINE unset to fetch it"):
        get(hub)
    assert server.requests == []


@pytest.mark.parametrize("lost", ["config.json", "tokenizer.json", "model-00002-of-00002.safetensors"])
def test_offline_refuses_a_folder_that_is_not_whole(hub: Hub, lost: str) -> None:
    (get(hub).folder / lost).unlink()
    with pytest.raises(HubError, match=r"only partly in .*; try again without --offline to fetch it"):
        fetch(REPO, "main", SilentProgress(), hub=hub, offline=True)


def test_the_token_is_sent_to_the_endpoint_alone(hub: Hub, server: HubServer) -> None:
    get(Hub(endpoint=hub.endpoint, cache=hub.cache, token="hf_secret", pause=0.0))
    of_endpoint = [request for request in server.requests if request.port == server.port]
    assert {request.headers.get("authorization") for request in of_endpoint} == {"Bearer hf_secret"}
    of_storage = [request for request in server.requests if request.port == server.storage_port]
    assert len(of_storage) == 2
    assert not [request for request in of_storage if "hf_secret" in str(request.headers)]


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_repository_names_the_page_of_its_terms(hub: Hub, server: HubServer, status: int) -> None:
    server.faults.lasting = (status, "GatedRepo")
    with pytest.raises(HubError, match=f"is gated: accept its terms at {hub.endpoint}/{REPO}, set HF_TOKEN"):
        get(hub)


@pytest.mark.parametrize(
    ("repo", "revision", "status", "code", "sentence"),
    [
        ("tiiuae/falcon-8b", "main", 0, "", "tiiuae/falcon-8b is not on 127.0.0.1:.* or is private there"),
        (REPO, "gone", 0, "", "has no revision gone on 127.0.0.1"),
        (REPO, "main", 401, "", r"refuses to give .* \(status 401\); set HF_TOKEN to a token of an account"),
        (REPO, "main", 403, "", r"refuses to give .* \(status 403\)"),
        (REPO, "main", 404, "", "is not on 127.0.0.1"),
        (REPO, "main", 451, "", r"refuses to give .* \(status 451\)"),
    ],
)
def test_a_refusal_is_one_sentence_and_not_tried_again(
    hub: Hub, server: HubServer, repo: str, revision: str, status: int, code: str, sentence: str
) -> None:
    server.faults.answers = {"main": [status]} if status else {}
    with pytest.raises(HubError, match=sentence):
        fetch(repo, revision, SilentProgress(), hub=hub)
    assert len(server.requests) == 1


def test_a_busy_server_is_asked_again_when_it_says(
    hub: Hub, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.faults.answers = {"main": [500, 429], WEIGHTS: [503]}
    server.faults.retry_after = "7"
    assert content(get(hub).folder) == FILES
    assert pauses == [7.0, 7.0, 7.0]


def test_a_server_that_stays_away_ends_the_run_and_what_was_fetched_is_kept(hub: Hub, server: HubServer) -> None:
    server.faults.cut = {WEIGHTS: [100_000, *[0] * 5]}
    with pytest.raises(HubError, match=r"does not send the rest of model-00001.* 105 kB of 505 kB are kept: try again"):
        get(hub)
    server.requests.clear()
    assert content(get(hub).folder) == FILES
    assert [request.headers.get("range") for request in server.asked_for(WEIGHTS)] == ["bytes=100000-"]


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
def test_a_file_with_other_bytes_than_announced_is_deleted(hub: Hub, server: HubServer, name: str) -> None:
    server.faults.corrupt = {name}
    with pytest.raises(HubError, match=f"{name} came damaged .* was deleted; try again"):
        get(hub)
    assert not partial(hub, name).exists()
    assert not blob(hub, name).exists()
    server.faults.corrupt = set()
    assert content(get(hub).folder) == FILES


@pytest.mark.parametrize("size", [399_999, 400_000, 400_001])
def test_remains_of_another_file_never_become_part_of_this_one(hub: Hub, size: int) -> None:
    path = partial(hub, WEIGHTS)
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(size))
    if size <= 400_000:
        with pytest.raises(HubError, match="came damaged"):
            get(hub)
    assert content(get(hub).folder) == FILES


def test_a_mirror_that_lists_names_alone_is_asked_for_each_file(hub: Hub, server: HubServer) -> None:
    server.faults.names_only = True
    snapshot = get(hub)
    assert content(snapshot.folder) == FILES
    assert (snapshot.folder / WEIGHTS).resolve() == blob(hub, WEIGHTS)


def test_a_login_page_is_not_taken_for_the_hub(hub: Hub, server: HubServer) -> None:
    server.faults.nonsense = True
    with pytest.raises(HubError, match="does not answer as a Hub does; check HF_ENDPOINT and the proxy"):
        get(hub)


def test_a_name_that_leads_out_of_the_cache_is_refused(
    hub: Hub, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = server.listing("main")
    listing["siblings"][0]["blobId"] = "../../../evil"
    monkeypatch.setattr(server, "listing", lambda _: listing)
    with pytest.raises(HubError, match="does not answer as a Hub does"):
        get(hub)
    assert not hub.cache.exists()


@pytest.mark.parametrize("lost", ["config.json", "tokenizer.json", "weights"])
def test_a_repository_without_a_checkpoint_is_refused(hub: Hub, server: HubServer, lost: str) -> None:
    server.files = {
        name: data
        for name, data in FILES.items()
        if name != lost and not (lost == "weights" and name.startswith("model"))
    }
    with pytest.raises(HubError, match=f"{REPO} has no {lost}"):
        get(hub)


@pytest.fixture(name="deaf_port")
def a_deaf_port() -> Iterator[int]:
    with deaf_port() as port:
        yield port


def test_without_a_network_the_sentence_says_so_at_once(hub: Hub, deaf_port: int) -> None:
    away = Hub(endpoint=f"http://127.0.0.1:{deaf_port}", cache=hub.cache, pause=60.0)
    with pytest.raises(HubError, match=r"cannot be reached .*; check the network and try again\.$"):
        get(away)
    get(hub)
    with pytest.raises(HubError, match=r"check the network .* or with --offline to use the copy in the cache\.$"):
        get(away)


@pytest.mark.usefixtures("new_session")
def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    hub: Hub, deaf_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:secret@127.0.0.1:{deaf_port}")
    named = rf"hub\.example cannot be reached .*; check the proxy 127\.0\.0\.1:{deaf_port} \("
    with pytest.raises(HubError, match=named):
        get(Hub(endpoint="http://hub.example", cache=hub.cache))


@pytest.mark.usefixtures("new_session")
def test_a_proxy_that_wants_a_password_is_named(hub: Hub, server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.endpoint)
    server.faults.answers = {"main": [407]}
    with pytest.raises(HubError, match=rf"\(the proxy asks for a name and password\); check the proxy {server.host}"):
        get(Hub(endpoint="http://hub.example", cache=hub.cache))


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "socks5://127.0.0.1:1"])
@pytest.mark.usefixtures("new_session")
def test_a_proxy_of_a_kind_that_cannot_be_used_is_one_sentence(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(HubError, match="proxy"):
        get(hub)


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://127.0.0.1", "http://[", "http://"])
def test_an_endpoint_that_is_no_address_is_one_sentence(hub: Hub, endpoint: str) -> None:
    with pytest.raises(HubError, match="correct HF_ENDPOINT"):
        get(Hub(endpoint=endpoint, cache=hub.cache))


def test_a_disk_without_room_is_refused_before_the_first_byte(
    hub: Hub, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(HubError, match=r"takes 505 kB more in .*cache and 1 MB are free there; .* HF_HUB_CACHE"):
        get(hub)
    assert not server.asked_for("config.json")
