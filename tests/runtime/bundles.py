"""A bundle whose answers are long, readable and the same each time: for tests of streaming and interrupting."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from tests.tools import CONTROL_TOKENS, export_bundle, save_checkpoint

CONTEXT = 2048
_EMBEDDING = "transformer.word_embeddings.weight"


def export_talker(folder: Path) -> Path:
    """Export a random Falcon-7B in miniature that writes printable ASCII and never ends an answer by itself.

    Its embedding, which is its head too, is zero for all other tokens: the likeliest token scores above zero.
    """
    checkpoint = save_checkpoint("7b", folder / "talker")
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    config["max_position_embeddings"] = CONTEXT
    (checkpoint / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tensors = load_file(checkpoint / "model.safetensors")
    for token in range(tokenizer.get_vocab_size()):
        text = tokenizer.decode([token], skip_special_tokens=False)
        if text in CONTROL_TOKENS or not (text.isascii() and text.isprintable()):
            tensors[_EMBEDDING][token] = 0
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    return export_bundle(checkpoint, folder / "bundle", verify=False)


def talker() -> Path:
    """The bundle, made once for each test session's cache (FALCONET_CACHE)."""
    made = Path(os.environ["FALCONET_CACHE"]) / "talker"
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=made.parent) as folder:
            export_talker(Path(folder)).rename(made)
    return made
