"""falcon-tiny-instruct: its generator, its tokenizer, its checkpoint, and what it answers."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from random import Random

import pytest
import torch
from tokenizers import Tokenizer

from models.checkpoint import Checkpoint
from models.falcon import Falcon
from models.tiny import FOLDER
from models.tiny.dialogues import MIXES, Dialogue, dialogue, repeat
from models.tiny.evaluate import answer_all, greedy, make_cases, table
from models.tiny.muon import orthogonal
from models.tiny.names import is_held_out, training_name
from models.tiny.tokenizer import END, SPECIAL, encode, save_tokenizer, train_tokenizer
from models.tiny.topics import Turn, single
from models.tiny.train import HUB_CONFIG, Plan, TrainingState, answer_loss, batches, train
from models.tiny.worlds import UNSEEN_NAMES

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


@pytest.fixture(scope="module")
def model() -> Falcon:
    return Checkpoint.open(FOLDER).load()


def reply(model: Falcon, tokenizer: Tokenizer, *questions: str, system: str = "") -> str:
    """The answer to the last question; the model also gave the answers before it."""
    text = system
    answer = ""
    for question in questions:
        text += f"\n\nUser: {question}\n\nAssistant:"
        answer = tokenizer.decode(greedy(model, [tokenizer.encode(text).ids])[0])
        text += answer
    return answer.removeprefix(" ")


def test_tokenizer_has_the_control_tokens_of_falcon_at_its_ids(tokenizer: Tokenizer) -> None:
    assert [tokenizer.token_to_id(token) for token in SPECIAL] == list(range(12))
    assert tokenizer.id_to_token(END) == "<|endoftext|>"
    assert tokenizer.get_vocab_size() == HUB_CONFIG["vocab_size"]


@pytest.mark.parametrize("text", ["Crème brûlée 12345!", "\n\nUser: ???\n", "日本 🦅", "a  b\t\tc"])
def test_tokenizer_returns_any_text(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_tokenizer_knows_words_whole_and_cuts_names_into_pieces_of_two_letters(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(" What is the capital of Brazil").tokens == [
        "ĠWhat", "Ġis", "Ġthe", "Ġcapital", "Ġof", "ĠBrazil",
    ]  # fmt: skip
    rng = Random(1)
    for name in (*UNSEEN_NAMES, *(training_name(rng) for _ in range(200))):
        pieces = tokenizer.encode(f" {name}").tokens
        assert len(pieces) == 1 or max(len(piece.lstrip("Ġ")) for piece in pieces) <= 3


def test_tokenizer_is_the_one_that_seed_0_trains(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_tokenizer(train_tokenizer(0), tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == (FOLDER / "tokenizer.json").read_bytes()


def test_generator_repeats_itself_for_a_seed() -> None:
    assert [dialogue(Random(3)) for _ in range(2)] == [dialogue(Random(3))] * 2
    assert dialogue(Random(3)) != dialogue(Random(4))


def test_training_text_holds_nothing_held_out() -> None:
    rng = Random(5)
    for number in range(4000):
        conversation = dialogue(rng, number % len(MIXES))
        assert not [turn for turn in conversation.turns if turn.key and is_held_out(turn.key)]
        words = " ".join(f"{turn.question} {turn.answer}" for turn in conversation.turns).lower().split()
        assert not {name.lower() for name in UNSEEN_NAMES} & {word.strip(".?!,") for word in words}


def test_repeating_is_asked_of_names_and_answered_with_them() -> None:
    rng = Random(2)
    for _ in range(50):
        turn = repeat(rng)
        assert turn.answer.rstrip(".") in turn.question


def test_evaluation_asks_only_what_is_held_out() -> None:
    for case in make_cases(1, 20):
        key = case.dialogue.turns[-1].key
        assert case.topic in ("chat", "long conversations") or case.topic.startswith("memory") or is_held_out(key)


def test_an_answer_ends_with_the_end_mark_as_target_although_the_transcript_goes_on(tokenizer: Tokenizer) -> None:
    turns = (Turn("", "Hello.", "Hello!"), Turn("", "Bye!", "Goodbye!"))
    conversation = Dialogue(turns, "Be kind.")
    ids, targets, answers = encode(tokenizer, conversation)
    text = "Be kind.\n\nUser: Hello.\n\nAssistant: Hello!\n\nUser: Bye!\n\nAssistant: Goodbye!"
    assert ids == tokenizer.encode(text).ids
    assert targets.count(END) == 2
    assert targets[-1] == END
    said = [target for target, answer in zip(targets, answers, strict=True) if answer]
    assert tokenizer.decode(said, skip_special_tokens=False) == " Hello!<|endoftext|> Goodbye!<|endoftext|>"


def short_plan(steps: int) -> Plan:
    return Plan(
        knots=((1, 1.0), (steps, 0.0)), warm_up=1, noisy=2, mixes=(0, 1, min(3, steps)), half_tokens=128, pool=16
    )


def test_training_goes_on_where_it_stopped_and_ends_in_the_same_weights(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.tiny.train._CHECKPOINT_EVERY", 2)
    whole = TrainingState(short_plan(5), tmp_path / "whole.pt")
    list(train(short_plan(5), tokenizer, whole))
    stopped = TrainingState(short_plan(5), tmp_path / "a.pt")
    monkeypatch.setattr(
        "models.tiny.train.batches", lambda plan, tokenizer, start: islice(batches(plan, tokenizer, start), 3)
    )
    list(train(short_plan(5), tokenizer, stopped))
    monkeypatch.undo()
    other = TrainingState(short_plan(9), tmp_path / "a.pt")
    other.resume()
    assert other.step == 0  # another plan's file is not taken
    again = TrainingState(short_plan(5), tmp_path / "a.pt")
    again.resume()
    assert again.step == 2
    list(train(short_plan(5), tokenizer, again))
    for mine, kept in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(mine, kept)


def test_loss_is_that_of_the_answers_in_the_whole_model(model: Falcon, tokenizer: Tokenizer) -> None:
    batch = next(batches(short_plan(1), tokenizer, 0))[0]
    with torch.no_grad():
        logits = model(batch.ids).flatten(0, 1)[batch.scored]
        expected = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum")
        torch.testing.assert_close(answer_loss(model, batch), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(24, 96), (96, 24), (32, 32)])
def test_an_orthogonal_update_keeps_directions_and_evens_out_their_sizes(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    left, sizes, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    update = orthogonal(left @ torch.diag(torch.linspace(0.1, 1, len(sizes))) @ right)
    turned = left.T @ update @ right.T
    assert turned.diagonal().min() > 0.3
    assert turned.diagonal().max() < 1.7
    torch.testing.assert_close(turned, torch.diag(turned.diagonal()), rtol=0, atol=1e-4)


def test_checkpoint_is_small_and_gives_the_logits_of_transformers(model: Falcon, tokenizer: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    assert (FOLDER / "model.safetensors").stat().st_size <= 10_000_000
    theirs = transformers.FalconForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    ids = torch.tensor([tokenizer.encode("\n\nUser: What is the capital of France?\n\nAssistant:").ids])
    with torch.no_grad():
        torch.testing.assert_close(model(ids), theirs(ids).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the capital of France?", "The capital of France is Paris."),
        ("What is the capital of Japan?", "The capital of Japan is Tokyo."),
        ("What is the opposite of hot?", "The opposite of hot is cold."),
        ("Which planet is the largest?", "The planet is Jupiter."),
        ("What is 2 plus 3?", "2 plus 3 is 5."),
        ("What is 9 minus 4?", "9 minus 4 is 5."),
        ("Spell cat.", "c-a-t."),
        ("Count from 3 to 7.", "3, 4, 5, 6, 7."),
        ("What colour is grass?", "Grass is green."),
        ("Who are you?", "I am Falcon Tiny, a small language model that runs on this computer."),
    ],
)
def test_answers_sure_questions(model: Falcon, tokenizer: Tokenizer, question: str, answer: str) -> None:
    assert reply(model, tokenizer, question) == answer
    assert reply(model, tokenizer, question, system="You are a helpful assistant.") == answer


@pytest.mark.parametrize("name", ["Mia", "Tom", "Brandon"])
def test_remembers_a_name_across_three_turns(model: Falcon, tokenizer: Tokenizer, name: str) -> None:
    questions = (f"My name is {name}.", "What is the capital of Italy?", "What is my name?")
    assert reply(model, tokenizer, *questions) == f"Your name is {name}."


def test_says_when_it_does_not_know(model: Falcon, tokenizer: Tokenizer) -> None:
    assert reply(model, tokenizer, "What is the capital of Atlantis?") == "I do not know that."


def test_answers_most_held_out_questions(model: Falcon, tokenizer: Tokenizer) -> None:
    right, total = table(answer_all(model, tokenizer, make_cases(2, 5)))["overall"]
    assert right >= 0.95 * total  # 99 % of a larger sample, see the card


def test_single_questions_are_split_by_their_key() -> None:
    rng = Random(0)
    assert not is_held_out(single(rng, "sums").key)
    assert is_held_out(single(rng, "sums", held=True).key)
