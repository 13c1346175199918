"""Bundles in the torch backend against llama.cpp on the same processor: a Falcon of true shape, both at 4 bits.

    pip install gguf
    python -m benchmarks.llama_cpp CHECKPOINT BUNDLE... --llama-bench PATH [--gguf FILE] [--write]

CHECKPOINT is what `benchmarks.random_checkpoint` made, with all layers, and BUNDLE its exports. PATH is llama.cpp's own
tool, built from its source (PyPI's llama-cpp-python has it). The checkpoint becomes FILE: Q4_0 (4.5 bits a weight), and
a head of its own Q8_0. Where the embedding is the head, as Falcon-7B's is, that is Q4_0, too; llama-quantize would give
it 8 bits, as our bundles do. Rounds of both alternate, each in a process of its own after a warm-up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.record import check_clean, checkpoint_command, make_record, write_record
from models.checkpoint import Checkpoint

NEW = 16  # tokens
_OF_A_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attention.query_key_value": "attn_qkv",
    "self_attention.dense": "attn_output",
    "mlp.dense_h_to_4h": "ffn_up",
    "mlp.dense_4h_to_h": "ffn_down",
}
_OTHERS = {"word_embeddings": "token_embd", "ln_f": "output_norm", "lm_head": "output"}


def gguf_name(name: str) -> str:
    """What llama.cpp calls a tensor of a Falcon with one norm a layer."""
    *path, kind = name.removeprefix("transformer.").split(".")
    if path[0] == "h":
        return f"blk.{path[1]}.{_OF_A_LAYER['.'.join(path[2:])]}.{kind}"
    return f"{_OTHERS['.'.join(path)]}.{kind}"


def write_gguf(checkpoint: Path, out: Path) -> None:
    """The checkpoint as llama.cpp reads it, without a tokenizer: its benchmark draws tokens itself."""
    import gguf
    from gguf.constants import GGMLQuantizationType as Kind

    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    width = config["hidden_size"]
    partial = out.with_name(f"{out.name}.partial")
    writer = gguf.GGUFWriter(partial, "falcon", use_temp_file=True)
    writer.add_string("tokenizer.ggml.model", "none")
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(2048)
    writer.add_tensor_data_layout("jploski")
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(4 * width)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(1)
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    opened = Checkpoint.open(checkpoint)
    for own_name in opened:
        name, values = gguf_name(own_name), opened.tensor(own_name).float().numpy()
        kind = Kind.F32 if values.ndim == 1 else Kind.Q8_0 if name == "output.weight" else Kind.Q4_0
        writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
        print(f"\r\x1b[K{name}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.rename(out)


def llama_round(tool: Path, model: Path, prompt_lengths: list[int], threads: int) -> dict[str, float]:
    """Tokens a second of each prompt and of writing."""
    prompts = ",".join(map(str, prompt_lengths))
    shape = ["-p", prompts, "-n", str(NEW), "-t", str(threads), "-r", "1", "-o", "jsonl"]
    done = subprocess.run([tool, "-m", model, *shape], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {tool} ended with {done.returncode}: {done.stderr[-500:]}")
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {(f"prompt {row['n_prompt']}" if row["n_prompt"] else "decode"): float(row["avg_ts"]) for row in rows}


def our_round(bundle: Path, prompt_lengths: list[int]) -> dict[str, float]:
    """The same of a bundle."""
    found: dict[str, float] = {}
    for tokens in prompt_lengths:
        shape = ["--prompt-tokens", str(tokens), "--new-tokens", str(NEW), "--repeats", "1", "--warm-up", "1", "--json"]
        command = [sys.executable, "-m", "runtime", "bench", str(bundle), "--backend", "torch", *shape]
        figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        found[f"prompt {tokens}"] = figures["prefill_tokens_per_second"]["median"]
        if tokens == min(prompt_lengths):  # llama-bench writes after an empty prompt
            found["decode"] = figures["decode_tokens_per_second"]["median"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parser.add_argument("--llama-bench", type=Path, required=True, metavar="PATH")
    parser.add_argument("--gguf", type=Path, metavar="FILE", help="default: beside CHECKPOINT; made if missing")
    parser.add_argument("--prompts", type=int, nargs="+", default=[64, 512], metavar="TOKENS", help="(default: 64 512)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    args = parser.parse_args()
    if args.write:
        check_clean()
    model = args.gguf or args.checkpoint.with_suffix(".q4_0.gguf")
    if not model.exists():
        write_gguf(args.checkpoint, model)
    rounds: dict[str, list[dict[str, float]]] = {"llama.cpp Q4_0": []} | {b.name: [] for b in args.bundles}
    for _ in range(args.rounds):
        rounds["llama.cpp Q4_0"].append(llama_round(args.llama_bench, model, args.prompts, args.threads))
        for bundle in args.bundles:
            rounds[bundle.name].append(our_round(bundle, args.prompts))
    peer = rounds["llama.cpp Q4_0"]
    figures: dict[str, Any] = {}
    for name, found in rounds.items():
        figures[name] = {}
        for what in peer[0]:
            rates = [each[what] for each in found]
            ratio = statistics.median(mine / other[what] for mine, other in zip(rates, peer, strict=True))
            figures[name][what] = {"tokens_per_second": rates, "ratio": ratio}
            print(f"{name:<16}{what:>12}{statistics.median(rates):>9.2f} tokens/s{ratio:>7.2f} times llama.cpp")
    version = subprocess.run([args.llama_bench, "--version"], capture_output=True, text=True, check=False)
    common = {
        "checkpoint": checkpoint_command(args.checkpoint),
        "llama_cpp": (version.stdout + version.stderr).strip().splitlines()[:2],
        "gguf_bytes": model.stat().st_size,
        "threads": args.threads,
    }
    record = make_record("llama_cpp", ("gguf", "llvmlite", "torch"), {**common, "figures": figures})
    print(json.dumps(record))
    if args.write:
        print(write_record(record))


if __name__ == "__main__":
    main()
