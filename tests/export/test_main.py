"""The command line: bad input ends in one sentence and code 1 and leaves nothing; progress is told as asked."""

from __future__ import annotations

import errno
import json
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from runtime.bundle import Bundle
from runtime.sizes import data_size
from tests.conftest import Checkpoints
from tests.export.hub_server import COMMIT, HubServer, files_of, no_proxy
from tests.export.program import STAGES, Run, said_by_stages
from tests.tools import train_tokenizer

DENSE = "transformer.h.1.self_attention.dense.weight"


@pytest.fixture
def source(checkpoints: Checkpoints, tmp_path: Path) -> Path:
    """A checkpoint of one's own, to be damaged."""
    return Path(shutil.copytree(checkpoints("7b"), tmp_path / "source"))


def edit(source: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(source / "model.safetensors")
    change(tensors)
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})


def edit_config(source: Path, **changes: object) -> None:
    file = source / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def set_weight(name: str, value: float) -> Callable[[Path], None]:
    return lambda source: edit(source, lambda tensors: tensors[name].view(-1)[5:6].fill_(value))


def save_tokenizer(source: Path, size: int) -> None:
    train_tokenizer(size).save(str(source / "tokenizer.json"))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda s: (s / "config.json").unlink(), r"config\.json does not exist; name a folder"),
    "corrupt config": (lambda s: (s / "config.json").write_text("{"), r"config\.json is not valid JSON .*fetch"),
    "config of another kind": (lambda s: edit_config(s, model_type="llama"), "a model of type 'llama'"),
    "fewer tokens than weights have": (
        lambda s: edit_config(s, vocab_size=257),  # which no group size of this program's choice divides
        r"has shape .* where config\.json asks for \[257, \d+\]; weights and config\.json are of different models",
    ),
    "no weights": (lambda s: (s / "model.safetensors").unlink(), "holds no weights"),
    "weights cut short": (
        lambda s: (s / "model.safetensors").write_bytes((s / "model.safetensors").read_bytes()[:5000]),
        r"model\.safetensors is damaged or cut short .*fetch the file again",
    ),
    "a tensor missing": (lambda s: edit(s, lambda t: t.pop(DENSE)), f"lacks {DENSE}"),
    "no tokenizer": (lambda s: (s / "tokenizer.json").unlink(), r"has no tokenizer\.json; fetch it"),
    "corrupt tokenizer": (lambda s: (s / "tokenizer.json").write_text("{\n"), r"tokenizer\.json is damaged"),
    "tokenizer of another size": (lambda s: save_tokenizer(s, 330), "has 330 tokens and config.json 320"),
    "an end that is no token": (
        lambda s: edit_config(s, eos_token_id=[11, 320]),
        "eos_token_id 320 is outside the vocabulary, 0 to 319",
    ),
    "NaN": (set_weight(DENSE, float("nan")), rf"{DENSE}: .*1 NaN"),
    "too large for fp16": (set_weight(DENSE, 7e4), rf"{DENSE}: .*1 beyond float16's largest value"),
    "NaN in a norm": (set_weight("transformer.ln_f.weight", float("nan")), r"transformer\.ln_f\.weight: .*NaN"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_leaves_nothing(run: Run, source: Path, output: Path, damage: str) -> None:
    harm, said = DAMAGES[damage]
    harm(source)
    sentence = run.refused(source, "--output", output)
    assert re.search(said, sentence), sentence
    assert list(output.parent.iterdir()) == []


NO_BUNDLE = "exists and is no bundle, so it is left as it is; name another --output"
OPTIONS: dict[str, tuple[list[str], str]] = {
    "weights": (["--weights", "lut5"], "--weights lut5 is unknown; choose one of lut4, lut6, lut8, int4, int8, fp16."),
    "group size that divides not": (["--group-size", "7"], "or a divisor of it with --group-size."),
    "group size of nothing": (["--group-size", "0"], "--group-size must be at least 1"),
    "groups too small to save": (["--group-size", "1"], "--group-size 1 makes this model larger than fp16"),
    "context too long": (["--context", "65"], "A context of 65 tokens is outside 8 to 64"),
    "context too short": (["--context", "7"], "A context of 7 tokens is outside 8 to 64"),
    "size that is none": (["--size", ""], "--size '' is no size"),
    "size too small": (["--size", "1kB"], "--size 1 kB is less than the"),
    "endless divergence": (["--max-kl", "inf"], "--max-kl must be a number above 0, not inf"),
    "divergence that nobody measures": (["--max-kl", "1", "--no-verify"], "--no-verify leaves out; give one of them"),
    "no divergence": (["--max-kl", "nan"], "--max-kl must be a number above 0, not nan"),
    "text that is not there": (["--calibrate", "gone.txt"], "--calibrate gone.txt cannot be read"),
    "text too short": (["--calibrate", "short.txt"], "tokens; name a text of some hundreds"),
    "groups of integers": (["--group-size", "16", "--weights", "int4"], "of codebooks, and int4 has none"),
    "text for integers": (["--calibrate", "short.txt", "--weights", "int8"], "int8 has none"),
    "output that exists": (["--output", "."], ". exists and is no bundle"),
    "output that cannot be written": (["--output", "short.txt/bundle"], "short.txt cannot be written"),
}


@pytest.fixture
def hub(checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub that the environment names, with falcon-180b, whose commit is fixed by the first download."""
    with no_proxy(), HubServer(files_of(checkpoints("7b")), repo="tiiuae/falcon-180B") as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server


@pytest.mark.parametrize("option", OPTIONS)
def test_a_bad_option_is_refused_before_weights_are_fetched_or_read(
    run: Run, checkpoints: Checkpoints, hub: HubServer, output: Path, option: str
) -> None:
    Path("short.txt").write_text("the the the")
    arguments, said = OPTIONS[option]
    assert said in run.refused("falcon-180b", "--output", output, *arguments)
    assert not hub.asked_for("model.safetensors")
    assert said in run.refused(checkpoints("7b"), "--output", output, *arguments)
    assert run.stages == []
    assert list(output.parent.iterdir()) == []
    assert [path.name for path in Path().iterdir()] == ["short.txt"]


def test_a_tokenizer_of_another_model_is_refused_before_its_weights_are_fetched(
    run: Run, hub: HubServer, output: Path
) -> None:
    hub.files["tokenizer.json"] = train_tokenizer(330).to_str().encode()
    assert "has 330 tokens and config.json 320" in run.refused("falcon-180b", "--output", output)
    assert not hub.asked_for("model.safetensors")


def test_the_disk_must_hold_the_download_and_the_export(
    run: Run, hub: HubServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(hub.files["model.safetensors"])
    enough_for_either = SimpleNamespace(free=size + 100_000 + (64 << 20))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: enough_for_either)
    sentence = run.refused("falcon-180b", "--output", output)
    assert sentence.startswith(f"error: The download ({data_size(size)}) and the export need ")
    assert not hub.asked_for("model.safetensors")
    assert list(output.parent.iterdir()) == []


def test_a_name_stands_for_the_commit_of_its_first_download_unless_revision_says_otherwise(
    run: Run, hub: HubServer, output: Path
) -> None:
    export = ("falcon-180b", "--output", output, "--no-verify", "--weights", "fp16", "--force")

    def made_of(*arguments: str) -> str | None:
        code, _, err = run(*export, *arguments)
        assert code == 0, err
        source = Bundle.open(output).manifest.source
        assert source.name == "tiiuae/falcon-180B"
        return source.revision

    assert made_of() == COMMIT
    hub.move("f" * 40)
    assert made_of() == COMMIT
    assert made_of("--revision", "main") == "f" * 40
    assert made_of() == COMMIT
    assert made_of("--offline") == COMMIT
    assert made_of("--offline", "--revision", "main") == "f" * 40


@pytest.mark.parametrize(
    ("model", "revision", "said"),
    [
        ("falcon-180b", "gone", "has no revision gone on 127.0.0.1"),
        ("falcon-180b", "../main", "--revision '../main' is no commit, branch or tag"),
        ("falcon-180b", "", "--revision '' is no commit, branch or tag"),
        ("falcon-tiny-instruct", "main", "falcon-tiny-instruct comes with Falconet; leave out --revision"),
        (".", "main", "--revision chooses a commit of the Hub, and . is a folder; leave it out"),
    ],
)
def test_a_revision_that_does_not_fit_is_refused(
    run: Run, hub: HubServer, output: Path, model: str, revision: str, said: str
) -> None:
    assert said in run.refused(model, "--output", output, "--revision", revision)
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("arguments", [["x", "--context", "many"], ["x", "--out", "y"], ["list", "x"], ["inspect"]])
def test_bad_usage_is_one_sentence_that_names_the_help(run: Run, arguments: list[str]) -> None:
    assert "--help` lists the options." in run.refused(*arguments)


def test_an_unknown_name_is_answered_with_the_nearest(run: Run) -> None:
    assert "did you mean falcon-7b" in run.refused("falcon-7b-instrukt")
    assert list(Path().iterdir()) == []


def test_a_file_is_no_folder(run: Run, source: Path) -> None:
    assert "is a file; name the folder" in run.refused(source / "model.safetensors")


def test_an_empty_folder_is_no_checkpoint(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "config.json does not exist" in run.refused(tmp_path / "empty")


def test_an_existing_output_is_kept_without_force(run: Run, checkpoints: Checkpoints, output: Path) -> None:
    output.mkdir()
    assert "exists; remove it, pass --force" in run.refused(checkpoints("7b"), "--output", output)
    (output / "mine").write_text("precious")
    assert NO_BUNDLE in run.refused(checkpoints("7b"), "--output", output)
    assert (output / "mine").read_text() == "precious"


@pytest.mark.parametrize("kind", ["a folder", "a folder with a manifest of another program", "a file"])
def test_force_replaces_bundles_only(run: Run, checkpoints: Checkpoints, output: Path, kind: str) -> None:
    mine = output
    if kind != "a file":
        output.mkdir()
        mine = output / ("mine" if kind == "a folder" else "manifest.json")
    mine.write_text("precious")
    assert NO_BUNDLE in run.refused(checkpoints("7b"), "--output", output, "--force")
    assert mine.read_text() == "precious"
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize("below", ["file", "file/folder"])
def test_a_place_that_cannot_be_written_is_named(
    run: Run, checkpoints: Checkpoints, tmp_path: Path, below: str
) -> None:
    (tmp_path / "file").write_text("x")
    sentence = run.refused(checkpoints("7b"), "--output", tmp_path / below / "bundle")
    assert "cannot be written" in sentence
    assert "name another place with --output" in sentence
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_lets_nobody_write_is_named(run: Run, checkpoints: Checkpoints) -> None:
    assert "cannot be written" in run.refused(checkpoints("7b"), "--output", "/proc/falconet/bundle")


def test_too_little_disk_is_told_before_the_work_begins(
    run: Run, checkpoints: Checkpoints, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    sentence = run.refused(checkpoints("7b"), "--output", output)
    assert "free some space or name another place with --output" in sentence
    assert list(output.parent.iterdir()) == []


def test_a_small_disk_is_refused(run: Run, checkpoints: Checkpoints, small_disk: Path) -> None:
    assert "MB of free disk" in run.refused(checkpoints("7b"), "--output", small_disk / "bundle")
    assert list(small_disk.iterdir()) == []


def test_an_export_whose_error_output_is_closed_is_whole(
    run: Run, checkpoints: Checkpoints, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checkpoints("7b")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", None)
        code, out, _ = run(source, "--output", output)
    assert (code, out) == (0, f"{output}\n")
    Bundle.open(output).verify()


def test_windows_is_told_where_to_export(
    run: Run, checkpoints: Checkpoints, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        patch.setitem(sys.modules, "export.pipeline", None)  # it needs coremltools, which is not there
        sentence = run.refused(checkpoints("7b"), "--output", output)
    assert "cannot be written on Windows: export on macOS or Linux" in sentence
    assert list(output.parent.iterdir()) == []


def test_progress_as_json_tells_every_stage_from_start_to_finish(
    run: Run, checkpoints: Checkpoints, output: Path
) -> None:
    code, out, err = run(checkpoints("7b"), "--output", output, "--progress", "json", "--weights", "fp16")
    assert (code, out) == (0, f"{output}\n")
    *lines, last = [json.loads(line) for line in err.splitlines()]
    assert last == {"event": "done", "bundle": str(output)}
    events = [line for line in lines if line["event"] != "note"]
    assert all(isinstance(line["text"], str) for line in lines if line["event"] == "note")
    assert [e["stage"] for e in events if e["event"] == "start"] == list(STAGES)
    assert [e["stage"] for e in events if e["event"] == "finish"] == list(STAGES)
    stage = {"event", "stage", "done", "total", "unit"}
    keys = {"start": stage, "advance": stage | {"rate", "seconds_left"}, "finish": stage | {"seconds"}}
    for event in events:
        assert event.keys() == keys[event["event"]]
        assert 0 <= event["done"] <= event["total"]
        if event["event"] == "finish":
            assert event["seconds"] >= 0
            assert event["done"] == event["total"]
    weights = next(e for e in events if e["stage"] == "palettize")
    assert weights["unit"] == "weights"
    assert weights["total"] == sum(t.numel() for n, t in load_file(checkpoints("7b") / "model.safetensors").items())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--weights", "lut5", "--progress", "json"], "--weights lut5 is unknown"),
        (["--context", "many", "--progress=json"], "invalid int value"),
    ],
)
def test_progress_as_json_tells_a_failure_in_its_last_line(
    run: Run, checkpoints: Checkpoints, arguments: list[str], said: str
) -> None:
    code, out, err = run(checkpoints("7b"), *arguments)
    assert (code, out) == (1, "")
    event = json.loads(err.splitlines()[-1])
    assert event.keys() == {"event", "message", "kind"}
    assert event["kind"] == "OptionError"
    assert event["event"] == "error"
    assert said in event["message"]


@pytest.mark.parametrize(
    "why", ["output that exists", "output that cannot be written", "group size that divides not", "context too long"]
)
def test_options_that_help_are_told_apart_from_the_sentence(
    run: Run, checkpoints: Checkpoints, output: Path, why: str
) -> None:
    Path("short.txt").write_text("the")
    _, _, err = run(checkpoints("7b"), "--progress", "json", "--output", output, *OPTIONS[why][0])
    event = json.loads(err.splitlines()[-1])
    assert "--" in event["message"]
    assert "--" not in event["sentence"]
    assert event["message"].startswith(event["sentence"].removesuffix("."))


def test_a_full_disk_that_nobody_expected_is_told_by_its_kind(
    run: Run, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("export.pipeline.export", export)
    code, _, err = run(checkpoints("7b"), "--progress", "json")
    event = json.loads(err.splitlines()[-1])
    assert (code, event["kind"]) == (1, "DiskError")
    assert event["message"].startswith("The disk is full")


@pytest.mark.parametrize("form", ["text", "json"])
def test_ctrl_c_is_told_in_the_form_that_was_asked_for(
    run: Run, checkpoints: Checkpoints, output: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: signal.raise_signal(signal.SIGINT))
    code, out, err = run(checkpoints("7b"), "--output", output, "--progress", form)
    assert (code, out) == (130, "")
    message = "Stopped; run the same command again to go on from here."
    last = err.splitlines()[-1]
    assert last == message if form == "text" else json.loads(last) == {"event": "error", "message": message}
    assert list(output.parent.iterdir()) == []


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(run: Run, checkpoints: Checkpoints, output: Path) -> None:
    link = output.parent / "link"
    output.mkdir()
    link.symlink_to(output.name)
    for weights in ("lut4", "lut8"):
        code, out, err = run(checkpoints("7b"), "--output", link, "--no-verify", "--weights", weights, "--force")
        assert (code, out) == (0, f"{link}\n"), err
        assert link.is_symlink()
        assert Bundle.open(output).manifest.recipe["linear"] == weights
        assert set(output.parent.iterdir()) == {link, output}


def test_a_link_that_leads_nowhere_is_refused_before_anything_is_made(
    run: Run, checkpoints: Checkpoints, output: Path
) -> None:
    output.symlink_to("nowhere")
    sentence = run.refused(checkpoints("7b"), "--output", output)
    assert sentence.startswith(f"error: {output} is a link to ")
    assert list(output.parent.iterdir()) == [output]


def test_a_model_without_a_chat_format_is_told(run: Run, checkpoints: Checkpoints, output: Path) -> None:
    _, _, err = run(checkpoints("7b"), "--output", output, "--no-verify")
    assert err.splitlines()[-1].startswith("No chat format is known for 7b")
    assert "falcon-instruct, " in err.splitlines()[-1]
    assert "  chat      raw: " in run("inspect", output)[1]


def test_progress_as_text_is_a_line_a_stage(run: Run, checkpoints: Checkpoints, output: Path) -> None:
    code, out, err = run(checkpoints("7b"), "--output", output, "--no-verify")
    assert (code, out) == (0, f"{output}\n")
    assert [line.split()[0] for line in said_by_stages(err.splitlines()[:-1])] == [s for s in STAGES if s != "verify"]
    assert "\x1b" not in err
