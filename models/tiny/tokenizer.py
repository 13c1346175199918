"""falcon-tiny-instruct's tokenizer: byte-level BPE built the way Falcon's is, trained on generated conversations."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from models.tiny.dialogues import Dialogue, dialogue
from models.tiny.names import training_name
from models.tiny.worlds import CAPITALS, NAMES, words

VOCAB_SIZE = 1888
END = 11  # <|endoftext|>
SPECIAL = words(
    ">>TITLE<< >>ABSTRACT<< >>INTRODUCTION<< >>SUMMARY<< >>COMMENT<< >>ANSWER<< >>QUESTION<< >>DOMAIN<< "
    ">>PREFIX<< >>SUFFIX<< >>MIDDLE<< <|endoftext|>"
)
_DIALOGUES = 20_000
_COMMON = 6  # conversations of these
_PIECE = 3  # bytes of the longest piece of a name
_NAMES_WITH_PIECE = 250  # of four times as many names as dialogues
_OPEN_TOPICS = ("memory", "stories", "unknown", "repeat")  # what users tell or ask may hold any word


def train_tokenizer(seed: int) -> Tokenizer:
    """The tokenizer for a seed; ids 0 to 11 are Falcon's control tokens.

    Every word of the small worlds is one token. Any other word, so every name, is made of pieces of at most three
    bytes, all of which are common in training: a name that was never seen is spelt in pieces that were.
    """
    names = Random(seed)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Punctuation(behavior="contiguous"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    known = _known_words(tokenizer, seed)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        min_frequency=_NAMES_WITH_PIECE,
        special_tokens=SPECIAL,
        initial_alphabet=alphabet,
        max_token_length=_PIECE,
        show_progress=False,
    )
    tokenizer.train_from_iterator((_name_text(names) for _ in range(_DIALOGUES)), trainer)
    content = json.loads(tokenizer.to_str())
    vocab: dict[str, int] = content["model"]["vocab"]
    for word in known:
        if len(vocab) < VOCAB_SIZE:
            vocab.setdefault(word, len(vocab))
    content["model"]["ignore_merges"] = True  # a word that is a token needs no merges that lead to it
    return Tokenizer.from_str(json.dumps(content))


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and the two small files that transformers reads beside it."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "add_prefix_space": False,
        "eos_token": SPECIAL[END],
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 2048,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    special = {"additional_special_tokens": SPECIAL[:END], "eos_token": SPECIAL[END]}
    for name, content in (("tokenizer_config.json", config), ("special_tokens_map.json", special)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def encode(tokenizer: Tokenizer, conversation: Dialogue) -> tuple[list[int], list[int], list[bool]]:
    """Ids of a transcript, the target after each of them, and whether that target belongs to an answer.

    A transcript has no end mark after its earlier answers, yet the model must end there when it speaks: the target
    after an answer's last token is the end mark, whatever follows.
    """
    ids: list[int] = []
    targets: list[int] = []
    answers: list[bool] = []
    for prompt, answer in conversation.segments():
        for text, is_answer in ((prompt, False), (answer, True)):
            part = tokenizer.encode(text, add_special_tokens=False).ids
            if ids and is_answer:
                targets[-1], answers[-1] = part[0], True
            elif targets:
                targets[-1] = END
            ids += part
            targets += [*part[1:], END]
            answers += [is_answer] * len(part)
    return ids, targets, answers


def _known_words(tokenizer: Tokenizer, seed: int) -> list[str]:
    """The words of the small worlds, but for people's names; the most common first."""
    rng = Random(seed)
    names = {name.lower() for name in NAMES} - {city.lower() for city in CAPITALS.values()}
    counts: Counter[str] = Counter()
    closed: Counter[str] = Counter()  # in turns of topics that hold no words but those of the worlds
    for _ in range(_DIALOGUES):
        conversation = dialogue(rng)
        text = "".join(part for segment in conversation.segments() for part in segment)
        counts.update({word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)})
        for turn in conversation.turns:
            if turn.topic not in _OPEN_TOPICS:
                text = f" {turn.question} {turn.answer}"
                closed.update({word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)})
    kept = [word for word, number in counts.items() if number >= _COMMON or closed[word] >= 2]
    kept = [word for word in kept if len(word) > 1 and word.lstrip("\u0120").lower() not in names]
    return sorted(kept, key=lambda word: (-counts[word], word))


def _name_text(rng: Random) -> str:
    names = (training_name(rng) for _ in range(4))
    return "".join(f" {name.lower() if rng.random() < 0.3 else name}" for name in names)
