"""falcon-tiny-instruct: its generator, its tokenizer, its checkpoint, and what it answers."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
import torch
from tokenizers import Tokenizer

from models.checkpoint import Checkpoint
from models.falcon import Falcon
from models.tiny import FOLDER
from models.tiny.dialogues import Dialogue, dialogue
from models.tiny.evaluate import answer_all, greedy, make_cases, table
from models.tiny.names import is_held_out
from models.tiny.tokenizer import END, SPECIAL, encode, save_tokenizer, train_tokenizer
from models.tiny.topics import Turn, single
from models.tiny.train import HUB_CONFIG, Plan, Stage, TrainingState, train
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


def test_tokenizer_is_the_one_that_seed_0_trains(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_tokenizer(train_tokenizer(0), tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == (FOLDER / "tokenizer.json").read_bytes()


def test_generator_repeats_itself_for_a_seed() -> None:
    assert [dialogue(Random(3)) for _ in range(2)] == [dialogue(Random(3))] * 2
    assert dialogue(Random(3)) != dialogue(Random(4))


def test_training_text_holds_nothing_held_out() -> None:
    rng = Random(5)
    for _ in range(3000):
        conversation = dialogue(rng)
        assert not [turn for turn in conversation.turns if turn.key and is_held_out(turn.key)]
        words = " ".join(f"{turn.question} {turn.answer}" for turn in conversation.turns).lower().split()
        assert not {name.lower() for name in UNSEEN_NAMES} & {word.strip(".?!,") for word in words}


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
    return Plan(stages=(Stage(steps=steps, peak_rate=1e-3, warm_up=1, mix=0),), batch_tokens=128, pool=16)


def test_training_goes_on_where_it_stopped(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.tiny.train._CHECKPOINT_EVERY", 2)
    whole = TrainingState(short_plan(4), tmp_path / "a.pt")
    list(train(short_plan(4), tokenizer, whole))
    other = TrainingState(short_plan(9), tmp_path / "a.pt")
    other.resume()
    assert other.step == 0  # another plan's file is not taken
    again = TrainingState(short_plan(4), tmp_path / "a.pt")
    again.resume()
    assert again.step == 4
    for mine, kept in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(mine, kept)


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
    right, total = table(answer_all(model, tokenizer, make_cases(2, 10)))["overall"]
    assert right >= 0.85 * total  # 91 % of a larger sample (see the card); this is a small one


def test_single_questions_are_split_by_their_key() -> None:
    rng = Random(0)
    assert not is_held_out(single(rng, "sums").key)
    assert is_held_out(single(rng, "sums", held=True).key)
