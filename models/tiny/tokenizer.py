"""falcon-tiny-instruct's tokenizer: byte-level BPE built the way Falcon's is, trained on generated conversations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from models.tiny.dialogues import Dialogue, dialogue
from models.tiny.names import invented
from models.tiny.worlds import words

VOCAB_SIZE = 2048
END = 11  # <|endoftext|>
SPECIAL = words(
    ">>TITLE<< >>ABSTRACT<< >>INTRODUCTION<< >>SUMMARY<< >>COMMENT<< >>ANSWER<< >>QUESTION<< >>DOMAIN<< "
    ">>PREFIX<< >>SUFFIX<< >>MIDDLE<< <|endoftext|>"
)
_DIALOGUES = 20_000


def train_tokenizer(seed: int) -> Tokenizer:
    """The tokenizer for a seed; ids 0 to 11 are Falcon's control tokens."""
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
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(seed), trainer)
    return tokenizer


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


def _texts(seed: int) -> Iterator[str]:
    rng = Random(seed)
    for _ in range(_DIALOGUES):
        yield "".join(text for segment in dialogue(rng).segments() for text in segment)
        # Invented names are common in training; without more of them BPE would learn a few of them whole.
        yield " ".join(invented(rng, rng.randint(1, 3)) for _ in range(4))
