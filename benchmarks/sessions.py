"""What sessions save: the second turn of a conversation with and without reuse, and a saved conversation reopened.

    python -m benchmarks.sessions [--models tiny mid falcon-7b-cache] [--repeats 15] [--threads N] [--write]

`tiny` is falcon-tiny-instruct. `mid` (12 layers, hidden 1,024, vocabulary 65,024) and `falcon-7b-cache` (Falcon-7B's 32
layers of one 64-wide key head, so its 16 MiB at 2,048 tokens; everything else small) have random weights, so their
answers are noise and their times are not. Time to first token is that of a call of LocalEngine.chat for one token; the
ratio is the median of those of neighbours.
Ready is when the next token can be fed: the file (in the system's cache of files) read, checked and in the state.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

import models.tiny
from benchmarks.random_checkpoint import random_tensor, write_tokenizer
from benchmarks.record import check_clean, make_record, write_record
from export.pipeline import ExportOptions, export
from export.progress import SilentProgress
from models.checkpoint import expected_shapes
from models.config import FalconConfig
from runtime.chat import Message
from runtime.embedded import embedded_bundle
from runtime.engines.local import LocalEngine
from runtime.options import GenerationOptions
from runtime.sampling import SamplingConfig
from runtime.session import Session
from runtime.tokenizer import Tokenizer

_SHAPES = {
    "mid": {"num_hidden_layers": 12, "hidden_size": 1024, "num_attention_heads": 16, "vocab_size": 65024},
    "falcon-7b-cache": {"num_hidden_layers": 32, "hidden_size": 128, "num_attention_heads": 2},
}
_CONVERSATION, _SAVED = 1500, 2000  # tokens
_ONE = GenerationOptions(max_new_tokens=1, sampling=SamplingConfig(temperature=0))
_SENTENCE = "The quick brown fox jumps over the lazy dog, and nobody knows why it does so again. "


def random_bundle(shape: dict[str, int], folder: Path) -> Path:
    """A bundle of random weights with the embedded model's tokenizer, its vocabulary filled up."""
    checkpoint = folder / "checkpoint"
    checkpoint.mkdir(parents=True)
    for name in ("special_tokens_map.json", "generation_config.json"):
        shutil.copy(models.tiny.FOLDER / name, checkpoint)
    raw = json.loads((models.tiny.FOLDER / "config.json").read_text(encoding="utf-8")) | shape
    (checkpoint / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    write_tokenizer(checkpoint, raw["vocab_size"])
    generator = torch.Generator().manual_seed(0)
    shapes = expected_shapes(FalconConfig.from_dict(raw))
    tensors = {name: random_tensor(name, shape, generator) for name, shape in shapes.items()}
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    return export(str(checkpoint), ExportOptions(output=folder / "bundle", verify=False), SilentProgress())


def conversation(engine: LocalEngine) -> list[Message]:
    """A question and its answer of _CONVERSATION tokens together, with the ids that a model would have written."""
    question = Message("user", "Tell me a long story.")
    text = _SENTENCE.strip()
    while engine.count_tokens([question, Message("assistant", text), question]) < _CONVERSATION:
        text += " " + _SENTENCE.strip()
    ids = engine.tokenizer.encode(engine.template.answer_space + text)
    return [question, Message("assistant", text, tuple(ids))]


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def second_turn(engine: LocalEngine, folder: Path, repeats: int) -> dict[str, Any]:
    """Seconds to the first token of a second turn, with nothing held and with the first turn held; and the latter where
    the answer's ids are not given and no tokenizer has seen its text. All take turns."""
    held = conversation(engine)
    first = another(engine)
    list(first.chat([held[0]], _ONE))
    list(first.continue_answer(held, _ONE))
    first.save_session(folder / "first")  # so that every repeat begins with the first turn held and nothing else
    bare = [held[0], Message("assistant", held[1].content)]
    times: dict[str, list[float]] = {"afresh": [], "reused": [], "text": []}
    for number in range(repeats + 1):  # the first is a warm-up
        question = Message("user", f"What was number {number} about?")
        for way in times if number % 2 else reversed(times):
            going = another(engine)
            if way != "afresh":
                going.restore_session(folder / "first")
            asked = [*(bare if way == "text" else held), question]
            times[way].append(seconds(partial(answer, going, asked)))
    afresh, reused, text = (taken[1:] for taken in times.values())
    ratios = sorted(without / with_reuse for without, with_reuse in zip(afresh, reused, strict=True))
    return {
        "prompt_tokens": engine.count_tokens(asked),
        "first_token_ms_without_reuse": round(1e3 * statistics.median(afresh), 2),
        "first_token_ms_with_reuse": round(1e3 * statistics.median(reused), 2),
        "first_token_ms_with_reuse_least": round(1e3 * min(reused), 2),
        "first_token_ms_with_reuse_of_text_without_ids": round(1e3 * statistics.median(text), 2),
        "times_less": round(statistics.median(ratios), 1),
        "times_less_least_and_most": [round(ratios[0], 1), round(ratios[-1], 1)],
    }


def answer(engine: LocalEngine, messages: list[Message]) -> None:
    """Write one token."""
    list(engine.chat(messages, _ONE))


def another(engine: LocalEngine) -> LocalEngine:
    """An engine that holds nothing, on the same loaded model. Its tokenizer has seen no text."""
    return LocalEngine(engine.bundle, engine.backend, Tokenizer.open(engine.bundle.folder), engine.template)


def reopening(engine: LocalEngine, folder: Path, repeats: int) -> dict[str, Any]:
    """Median seconds to save and to reopen a conversation of _SAVED tokens."""
    session = Session(engine.backend)
    ids = [100 + place % 1000 for place in range(_SAVED)]
    session.set_prompt(ids)
    file, bundle = folder / "session", engine.bundle.hash
    saving = [seconds(lambda: session.save(file, bundle=bundle)) for _ in range(repeats + 1)]
    engines = [another(engine) for _ in range(repeats + 1)]
    opening = [seconds(partial(going.restore_session, file)) for going in engines]
    restored = Session.restore(engine.backend, file, bundle=bundle)
    assert restored.set_prompt([*ids, 7]).fed_tokens == 1
    return {
        "saved_tokens": _SAVED,
        "file_mib": round(file.stat().st_size / (1 << 20), 2),
        "save_ms": round(1e3 * statistics.median(saving[1:]), 2),
        "reopen_ms": round(1e3 * statistics.median(opening[1:]), 2),
        "reopen_ms_worst": round(1e3 * max(opening[1:]), 2),
    }


def measure(name: str, folder: Path, repeats: int) -> dict[str, Any]:
    bundle = embedded_bundle(sys.stderr) if name == "tiny" else random_bundle(_SHAPES[name], folder)
    with LocalEngine.open(bundle, backend="torch", template="falcon-instruct") as engine:
        return second_turn(engine, folder, repeats) | reopening(engine, folder, max(repeats, 20))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=["tiny", *_SHAPES], default=["tiny", *_SHAPES])
    parser.add_argument("--repeats", type=int, default=15, help="of each measurement, after a warm-up (default: 15)")
    parser.add_argument("--threads", type=int, help="of torch, where the cores are shared (default: all cores)")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    if args.threads:
        torch.set_num_threads(args.threads)
    rows = {}
    print("model              second turn afresh    reused  text only     ratio    reopen    (worst)    file")
    for name in args.models:
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = row = measure(name, Path(folder), args.repeats)
        print(
            f"{name:18} {row['first_token_ms_without_reuse']:15,.1f} ms {row['first_token_ms_with_reuse']:7,.1f} ms "
            f"{row['first_token_ms_with_reuse_of_text_without_ids']:7.1f} ms {row['times_less']:7.1f} "
            f"{row['reopen_ms']:7.1f} ms {row['reopen_ms_worst']:7.1f} ms {row['file_mib']:6.2f} MiB",
            flush=True,
        )
    record = make_record("sessions", ("torch", "numpy", "tokenizers"), {"repeats": args.repeats, "models": rows})
    if args.write:
        print(write_record(record))
    print(json.dumps(record))


if __name__ == "__main__":
    main()
