"""The Hub's cache: shared with huggingface_hub and with programs that fetch at the same time, of one commit each."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub
import pytest
from filelock import FileLock

from export.hub import Hub, HubError, begin_fetch
from export.progress import SilentProgress
from tests import patience
from tests.export.hub_server import (
    COMMIT,
    FILES,
    REPO,
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


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with no_proxy():
        yield


def test_the_cache_is_one_that_huggingface_hub_finds_its_files_in(hub: Hub) -> None:
    folder = get(hub).folder
    for name in FILES:
        for revision in ("main", COMMIT):
            found = huggingface_hub.try_to_load_from_cache(REPO, name, cache_dir=hub.cache, revision=revision)
            assert found == str(folder / name)
    (repo,) = huggingface_hub.scan_cache_dir(hub.cache).repos
    assert repo.size_on_disk == sum(len(data) for data in FILES.values())


def test_files_that_huggingface_hub_has_fetched_are_not_fetched_again(hub: Hub, server: HubServer) -> None:
    huggingface_hub.hf_hub_download(
        REPO, "tokenizer.json", revision="main", cache_dir=hub.cache, endpoint=hub.endpoint, token=False
    )
    server.requests.clear()
    assert content(get(hub).folder) == FILES
    assert not server.asked_for("tokenizer.json")


def test_config_and_tokenizer_come_first_and_weights_when_they_are_asked_for(hub: Hub, server: HubServer) -> None:
    weights = {name: data for name, data in FILES.items() if name.startswith("model")}
    snapshot = begin_fetch(REPO, "main", SilentProgress(), hub=hub)
    assert content(snapshot.folder) == {name: data for name, data in FILES.items() if name not in weights}
    assert snapshot.missing_bytes == sum(map(len, weights.values()))
    assert not any(server.asked_for(name) for name in weights)
    snapshot.fetch_weights()
    assert content(snapshot.folder) == FILES
    assert begin_fetch(REPO, "main", SilentProgress(), hub=hub).missing_bytes == 0


def test_a_branch_that_moves_while_its_files_are_fetched_never_mixes_two_commits(hub: Hub, server: HubServer) -> None:
    server.faults.cut = {WEIGHTS: [100_000, *[0] * 5]}
    with pytest.raises(HubError, match="does not send the rest"):
        get(hub)
    moved = FILES | {"config.json": b'{"model_type": "falcon", "new": 1}', WEIGHTS: noise(300_001)}
    server.files, server.commit = dict(moved), "f" * 40
    with pytest.raises(HubError, match="only partly in"):
        fetch(REPO, "main", SilentProgress(), hub=hub, offline=True)
    snapshot = get(hub)
    assert (content(snapshot.folder), snapshot.revision) == (moved, "f" * 40)
    offline = fetch(REPO, "main", SilentProgress(), hub=hub, offline=True)
    assert offline == snapshot
    with pytest.raises(HubError, match="only partly in"):
        fetch(REPO, COMMIT, SilentProgress(), hub=hub, offline=True)


def test_without_a_revision_the_first_download_decides_for_those_that_follow(hub: Hub, server: HubServer) -> None:
    server.faults.cut = {WEIGHTS: [100_000, *[0] * 5]}
    with pytest.raises(HubError, match="does not send the rest"):
        fetch(REPO, None, SilentProgress(), hub=hub)
    server.move("f" * 40, {"config.json": b'{"model_type": "falcon", "new": 1}', WEIGHTS: noise(300_001)})
    snapshot = fetch(REPO, None, SilentProgress(), hub=hub)
    assert (content(snapshot.folder), snapshot.revision) == (FILES, COMMIT)
    assert get(hub).revision == "f" * 40, "of the branch, as other programs fetch it"
    assert fetch(REPO, None, SilentProgress(), hub=hub) == snapshot
    assert fetch(REPO, None, SilentProgress(), hub=hub, offline=True) == snapshot
    scanned = huggingface_hub.scan_cache_dir(hub.cache)
    assert scanned.warnings == []
    assert {ref: r.commit_hash for repo in scanned.repos for r in repo.revisions for ref in r.refs} == {
        "falconet": COMMIT,
        "main": "f" * 40,
    }


def test_what_another_program_fetched_serves_offline_without_a_revision(hub: Hub) -> None:
    snapshot = get(hub)
    assert fetch(REPO, None, SilentProgress(), hub=hub, offline=True) == snapshot


def test_what_is_in_the_cache_is_not_fetched_again(hub: Hub, server: HubServer) -> None:
    first = get(hub)
    server.requests.clear()
    progress = Recorder()
    assert get(hub, progress) == first
    assert [request.path for request in server.requests] == [f"/api/models/{REPO}/revision/main?blobs=true"]
    assert progress.stages == []


def test_a_disk_without_links_holds_the_files_in_the_snapshot(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)  # as Windows does to who is no developer
    snapshot = get(hub)
    assert content(snapshot.folder) == FILES
    progress = Recorder()
    assert get(hub, progress) == snapshot
    assert progress.stages == []


def test_two_programs_do_not_write_one_file(hub: Hub) -> None:
    lock = hub.cache / ".locks" / "models--tiiuae--falcon-7b-instruct" / f"{blob(hub, 'config.json').name}.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(HubError, match=r"Another program is fetching config\.json"):
        get(hub)


def test_a_cache_on_a_disk_without_locks_is_used_all_the_same(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr("fcntl.flock", refuse)
    assert content(get(hub).folder) == FILES


def test_programs_that_fetch_the_same_at_once_both_end_with_all_of_it(
    hub: Hub, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.hub._LOCK_SECONDS", patience.SECONDS)
    with ThreadPoolExecutor(4) as pool:
        snapshots = list(pool.map(lambda _: get(hub), range(4)))
    assert all(content(snapshot.folder) == FILES for snapshot in snapshots)
    assert len(server.asked_for(WEIGHTS)) == 1
    assert blob(hub, WEIGHTS).exists()


def test_a_file_linked_by_another_program_meanwhile_stays_a_link(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    own_way = Path.symlink_to

    def after_another(link: Path, target: Path) -> None:
        pointer = link.with_name(link.name.removeprefix(".").removesuffix(f".{os.getpid()}"))
        if not pointer.is_symlink():
            own_way(pointer, target)
        own_way(link, target)

    monkeypatch.setattr(Path, "symlink_to", after_another)
    folder = get(hub).folder
    assert content(folder) == FILES
    assert all((folder / name).is_symlink() and blob(hub, name).exists() for name in FILES)
