"""`bench`, `perplexity`, `compare`, `devices` at the command line: formats, bad input, Ctrl-C."""

from __future__ import annotations

import io
import json
import math
import re
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.tiny.held_out import held_out_text
from models.tiny.topics import TOPICS, single
from runtime.backends.cards import Card
from runtime.bundle import Bundle
from runtime.cli.bench import at_once_on
from runtime.cli.progress import progress_words
from runtime.cli.scoring import OWN_TEXT
from runtime.cli.table import number, table
from runtime.embedded import embedded_bundle
from runtime.errors import BackendUnavailableError
from runtime.measure.needs import cache_bytes
from tests.conftest import Bundles, Checkpoints
from tests.runtime.program import Cli, assert_error_event, assert_sentence, run_program
from tests.tools import save_checkpoint, train_tokenizer

TEXT = "The quick brown fox jumps over the lazy dog; the end of the text is near. " * 12
QUICK = ("--prompt-tokens", "9", "--new-tokens", "3", "--repeats", "2", "--warm-up", "0")
COMMANDS = ("bench", "perplexity", "compare", "devices")


@pytest.fixture
def cli() -> Cli:
    return run_program


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


def fits(out: str) -> bool:
    return all(len(line) <= 80 for line in out.splitlines() if not line.startswith("{"))


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_bench_is_a_table_whose_last_line_is_json(cli: Cli, bundles: Bundles, backend: str) -> None:
    outcome = cli("bench", bundles("7b", "lut4"), *QUICK, "--backend", backend)
    assert (outcome.code, outcome.err) == (0, "")
    *lines, last = outcome.out.splitlines()
    report = json.loads(last)
    assert (report["command"], report["backend"], report["complete"]) == ("bench", backend, True)
    assert len(report["decode_tokens_per_second"]["values"]) == 2
    assert min(report["decode_tokens_per_second"]["values"]) > 0
    assert report["first_token_seconds"]["median"] > 0
    assert len(report["load_seconds"]["values"]) >= 1
    assert report["peak_resident_bytes"] > 1e6
    assert report["bandwidth_share"] > 0
    assert lines[0].startswith("7b on ")
    assert any(line.split()[:2] == ["answer,", "tokens/s"] for line in lines)
    assert fits(outcome.out)


def test_with_json_there_is_one_line_and_nothing_else(
    cli: Cli, bundles: Bundles, checkpoints: Checkpoints, text: Path
) -> None:
    bundle, checkpoint = bundles("7b", "lut4"), checkpoints("7b")
    for given in (
        ("bench", bundle, *QUICK),
        ("perplexity", bundle, "--text", text),
        ("compare", bundle, checkpoint, "--text", text),
        ("devices", bundle),
        ("devices",),
    ):
        outcome = cli(*given, "--json")
        assert (outcome.code, outcome.err) == (0, "")
        assert [event["command"] for event in outcome.events] == [given[0]]


def test_perplexity_says_how_the_text_was_cut(cli: Cli, bundles: Bundles, text: Path) -> None:
    bundle = bundles("7b", "lut4")
    outcome = cli("perplexity", bundle, "--text", text, "--context", "32")
    assert outcome.code == 0
    assert "of 32, the second half of each" in outcome.out
    assert "± " in outcome.out
    assert fits(outcome.out)
    sliding = cli("perplexity", bundle, "--text", text, "--context", "32", "--stride", "8")
    assert "of 32, 8 tokens apart" in sliding.out
    report: Any = cli("perplexity", bundle, "--text", "-", "--stride", "8", "--json", stdin=TEXT.encode()).events[0]
    assert report["context"] == 64  # the model's
    assert 0 < len(TEXT) - report["bytes"] < 5  # the first token is not scored


def test_a_checkpoint_can_be_measured_too(cli: Cli, checkpoints: Checkpoints, text: Path) -> None:
    assert cli("perplexity", checkpoints("rw"), "--text", text).code == 0
    report: Any = cli("compare", checkpoints("rw"), checkpoints("rw"), "--text", text, "--json").events[0]
    assert report["kl"]["max"] == 0


def test_a_comparison_shows_every_figure_in_80_columns(
    cli: Cli, bundles: Bundles, checkpoints: Checkpoints, text: Path
) -> None:
    outcome = cli("compare", bundles("7b", "lut4"), checkpoints("7b"), "--text", text, "--backend", "torch")
    assert outcome.out.startswith("7b (torch) against 7b (torch)\n")
    for label in ("perplexity of the reference", "ln ratio", "likeliest token the same", "  99.9 %", "KL(", "Δp of"):
        assert label in outcome.out
    assert fits(outcome.out)


def test_models_of_different_vocabularies_are_one_sentence(
    cli: Cli, bundles: Bundles, checkpoints: Checkpoints, text: Path, tmp_path: Path
) -> None:
    other = save_checkpoint("7b", tmp_path / "other")
    train_tokenizer(300).save(str(other / "tokenizer.json"))
    given = ("compare", bundles("7b", "lut4"), other, "--text", text)
    assert_sentence(cli(*given), "cut the text into different tokens: only models of one tokenizer can be compared.")
    assert_sentence(
        cli("compare", bundles("7b", "lut4"), "models/tiny", "--text", text), "only models of one vocabulary can be"
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("bench", "BUNDLE", "--repeats", "0"), "--repeats must be at least 1, not 0."),
        (
            ("bench", "BUNDLE", "--at-once", "257"),
            "--at-once must be at most 256, as many as a server writes, not 257.",
        ),
        (("bench", "BUNDLE", "--prompt-tokens", "5000"), "do not fit the model's context of 64 together"),
        (("bench", "BUNDLE", "--seed", "-1"), "--seed must be at least 0"),
        (
            ("bench", "nowhere"),
            "nowhere does not exist: `python -m export` makes bundles, and falcon-tiny-instruct names",
        ),
        (("bench", "BUNDLE", "--new-tokens", "64"), "--new-tokens 64 do not fit the model's context of 64 together"),
        (("bench", "BUNDLE", *QUICK, "--backend", "torch", "--compute-units", "cpu_only"), "is for the coreml backend"),
        (("compare",), "required: BUNDLE, REFERENCE; `python -m runtime compare --help` lists"),
        (("perplexity", "BUNDLE"), "Name a text with --text FILE, or - for the input; only the embedded model"),
        (
            ("perplexity", "BUNDLE", "--text", "nowhere.txt"),
            "--text nowhere.txt cannot be read (No such file or directory); name a text file",
        ),
        (("perplexity", "BUNDLE", "--text", "."), "--text . cannot be read (Is a directory); name a text file"),
        (("perplexity", "BUNDLE", "--text", "-"), "The text has 0 tokens and one window takes 64"),
        (("perplexity", "BUNDLE", "--text", "-", "--context", "65"), "--context 65 is more than the model's context"),
        (("perplexity", "BUNDLE", "--text", "-", "--context", "-1"), "--context must be at least 4, not -1."),
        (("perplexity", "BUNDLE", "--text", "-", "--stride", "64"), "--stride must be from 1 to 63"),
        (("perplexity", "BUNDLE", "--text", "-", "--stride", "9"), "The text is too short"),
        (("perplexity", "tests", "--text", "README.md"), "tests is neither a bundle, which has a manifest.json, nor"),
        (("compare", "BUNDLE"), "required: REFERENCE"),
        (("compare", "BUNDLE", "nowhere", "--text", "-"), "nowhere does not exist"),
        (("devices", "nowhere"), "nowhere does not exist"),
        (("devices", "tests"), "is not a bundle"),
    ],
)
def test_bad_input_is_one_sentence(cli: Cli, bundles: Bundles, given: tuple[str, ...], sentence: str) -> None:
    bundle = str(bundles("7b", "lut4"))
    assert_sentence(cli(*(bundle if word == "BUNDLE" else word for word in given)), sentence)


@pytest.mark.parametrize(
    "given",
    [
        ("bench", "nowhere"),
        ("bench", "--repeats", "0"),
        ("perplexity", "nowhere", "--text", "README.md"),
        ("compare", "nowhere"),
        ("compare", "tests", "tests", "--text", "README.md"),
        ("devices", "nowhere"),
        ("devices", "--no-such-option"),
    ],
)
def test_with_json_an_error_is_one_object_too(cli: Cli, given: tuple[str, ...]) -> None:
    assert_error_event(cli(*given, "--json"))
    assert_sentence(cli(*given), "")


def test_bench_writes_as_many_answers_at_once_as_have_room_on_the_card(bundles: Bundles) -> None:
    manifest = Bundle.open(bundles("7b", "lut4"), hashes=False).manifest
    cache = cache_bytes(manifest) * manifest.context_length
    for free, most in ((None, 1), (0, 1), (10 * cache, 5), (1000 * cache, 32)):
        assert at_once_on(Card("a card", None, None, free), manifest) == most


def test_bench_of_answers_at_once_is_a_row_and_two_fields(cli: Cli, bundles: Bundles) -> None:
    asked = ("bench", bundles("7b", "lut4"), *QUICK, "--at-once", "3")
    outcome = cli(*asked)
    assert "3 answers at once, tokens/s" in outcome.out
    assert fits(outcome.out)
    (report,) = cli(*asked, "--json").events
    together: Any = report["at_once_tokens_per_second"]
    assert (report["at_once"], len(together["values"])) == (3, 2)
    (alone,) = cli(*asked[:-2], "--json").events
    assert (alone["at_once"], alone["at_once_tokens_per_second"]) == (1, None)


def test_bench_fits_a_short_context_and_says_so(cli: Cli, bundles: Bundles) -> None:
    once = ("bench", bundles("7b", "lut4"), "--repeats", "1", "--warm-up", "0")
    outcome = cli(*once)
    assert "prompt 52 tokens, answer 12 tokens, 1 run" in outcome.out.replace("\n", " ")
    assert "shortened to fit the model's context of 64 tokens." in outcome.out.replace("\n", " ")
    assert fits(outcome.out)
    for given, used in ((("--prompt-tokens", "40"), (40, 24)), (("--new-tokens", "4"), (60, 4))):
        (report,) = cli(*once, *given, "--json").events
        assert (report["prompt_tokens"], report["new_tokens"]) == used
    assert "shortened" not in cli(*once, *QUICK[:4]).out


def own_bundle() -> Path:
    try:
        return embedded_bundle(io.StringIO())
    except BackendUnavailableError as error:
        pytest.skip(str(error))


def test_without_a_bundle_perplexity_is_the_embedded_models(cli: Cli) -> None:
    own_bundle()
    given = ("perplexity", "--text", "models/tiny/README.md", "--json")
    (report,) = cli(*given).events
    assert (report["command"], report["model"]) == ("perplexity", "falcon-tiny-instruct")


def test_text_that_is_no_utf_8_is_one_sentence(cli: Cli, bundles: Bundles, tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes(b"na\xefve")
    for given in (("--text", file), ("--text", "-")):
        outcome = cli("perplexity", bundles("7b", "lut4"), *given, stdin=b"na\xefve")
        assert_sentence(outcome, "is not UTF-8 text (byte 3 is 0xEF)")


def test_devices_says_what_runs_and_why_the_rest_does_not(
    cli: Cli, bundles: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    outcome = cli("devices", bundles("7b", "lut4"))
    assert outcome.code == 0
    assert "coreml     not available: Core ML exists on macOS only" in outcome.out
    assert "torch      available, taken unless --backend says otherwise" in outcome.out
    assert "takes up to" in outcome.out
    report: Any = cli("devices", "--json").events[0]
    assert report["chosen"] == "torch"
    assert report["backends"]["coreml"] == {"available": False, "reason": "Core ML exists on macOS only"}
    assert report["bundle"] is None


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_the_command_and_its_options_with_defaults(
    cli: Cli, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.search(rf"\n    {command}\s", cli("--help").out)
    monkeypatch.setenv("COLUMNS", "500")
    text = re.sub(r"}\n +", "} ", cli(command, "--help").out)
    lines = [line for line in text.splitlines() if line.startswith("  --")]
    assert all("(default: " in line for line in lines if not line.startswith("  --json"))


def test_the_embedded_model_is_scored_on_its_answers_each_after_its_question(cli: Cli) -> None:
    model = AutoModelForCausalLM.from_pretrained("models/tiny", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained("models/tiny")
    losses: list[float] = []
    rng = Random("held-out text")
    topics = tuple(topic for topic in TOPICS if topic != "chat")
    for _ in range(400):
        turn = single(rng, rng.choice(topics), held=True)
        prompt = tokenizer.encode(f"User: {turn.question}\n\nAssistant:", return_tensors="pt")
        answer = tokenizer.encode(f" {turn.answer}", return_tensors="pt")
        with torch.no_grad():
            scores = model(torch.cat((prompt, answer), 1)).logits[0, prompt.shape[1] - 1 : -1]
        losses += torch.nn.functional.cross_entropy(scores, answer[0], reduction="none").tolist()
    bundle = own_bundle()
    for named in ((), (bundle,)):
        report: Any = cli("perplexity", *named, "--json").events[0]
        assert (report["tokens"], report["windows"], report["stride"]) == (len(losses), 400, None)
        # The bundle's codebooks are not the checkpoint's weights: its losses are as small, not the same.
        assert report["loss"]["value"] == pytest.approx(sum(losses) / len(losses), abs=0.001)
    compared: Any = cli("compare", bundle, "models/tiny", "--json").events[0]
    assert compared["reference_perplexity"]["value"] == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-4)
    said = cli("perplexity").out
    assert f"{len(losses):,} tokens of 400 answers scored, each after its held-out question" in said


@pytest.mark.parametrize("option", ["--context", "--stride"])
def test_the_embedded_models_text_is_not_cut(cli: Cli, option: str) -> None:
    assert_sentence(cli("perplexity", option, "32"), f"{option} cuts a text that --text names; the embedded model's")


def test_the_embedded_models_text_is_what_training_held_out() -> None:
    assert OWN_TEXT.read_text(encoding="utf-8") == held_out_text() + "\n"


def test_numbers_are_written_for_people() -> None:
    assert [number(x) for x in (3.33772, 1124.4, 0.0, 0.00012345, 4.51e-5, float("nan"))] == [
        *("3.338", "1,124", "0", "0.0001234", "4.51e-05", "-")
    ]
    assert table([("a", "1", "± 2"), ("long", "10", "± 30"), ()]) == "a      1  ± 2\nlong  10  ± 30\n"


def test_progress_tells_rate_and_time_left_within_80_columns() -> None:
    assert (
        progress_words("compare", 1024, 8192, 4.0) == "compare  12% · 1,024 of 8,192 tokens · 256 tokens/s · 28 s left"
    )
    assert progress_words("bench", 3, 10**7, 60.0).endswith("0.1 tokens/s · 2314 days left")
    assert progress_words("bench", 0, 10, 9.0) == "bench   0% · 0 of 10 tokens"
    assert len(progress_words("perplexity", 10**6 - 1, 10**7, 1e6)) <= 80


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_ctrl_c_shows_the_figures_so_far(bundles: Bundles, tmp_path: Path) -> None:
    from tests.runtime.screen import CTRL_C, Screen

    text = tmp_path / "long.txt"
    text.write_text(TEXT * 2000, encoding="utf-8")
    bundle = str(bundles("7b", "lut4"))
    screen = Screen("compare", bundle, bundle, "--text", str(text), "--context", "16")
    try:
        screen.expect(r"compare +\d+% · [1-9][\d,]* of [\d,]+ tokens · [\d,.]+ tokens/s · .* left")
        screen.type(CTRL_C)
        screen.expect("stopped; so far [1-9]")
        assert "likeliest token the same" in screen.close()
        assert screen.code == 130
    finally:
        screen.kill()
