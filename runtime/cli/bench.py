"""The command `bench`."""

from __future__ import annotations

from dataclasses import replace
from typing import TextIO

from runtime.backends.cards import Card, card_bandwidth, card_in_use, peak_card_bytes
from runtime.bundle import Bundle
from runtime.cli.conversation import INTERRUPTED
from runtime.cli.echo import no_echo
from runtime.cli.folders import model_folder
from runtime.cli.measuring import BenchOptions
from runtime.cli.progress import ProgressLine
from runtime.cli.table import number, table, wrapped, write_json
from runtime.interrupt import StopOnInterrupt
from runtime.manifest import Manifest
from runtime.measure.bandwidth import read_bandwidth, thread_count
from runtime.measure.bench import run_bench
from runtime.measure.memory import peak_resident_bytes
from runtime.measure.models import load_repeatedly
from runtime.measure.needs import cache_bytes
from runtime.measure.report import BenchReport
from runtime.measure.statistics import Spread
from runtime.sizes import data_size, memory_size
from runtime.tokenizer import Tokenizer

_AT_ONCE_ON_A_CARD = 32  # which is nearly idle with one


def run_bench_command(options: BenchOptions, stdin: TextIO, out: TextIO, err: TextIO) -> int:
    """Measure and print; returns the exit code."""
    folder = model_folder(options.bundle, err)
    place = options.place
    with ProgressLine(err) as progress, no_echo(stdin):
        bundle = Bundle.open(folder)
        config = options.config.fitted(bundle.manifest.context_length, free=options.free)
        tokenizer = Tokenizer.open(folder)
        progress.say(f"Loading {folder.name} ...")
        backend, loads = load_repeatedly(
            bundle, config.repeats, backend=place.backend, compute_units=place.compute_units
        )
        if "at_once" in options.free and backend.name == "cuda" and (used := card_in_use()) is not None:
            config = replace(config, at_once=at_once_on(used, bundle.manifest))
        progress.start("bench", config.total)
        with StopOnInterrupt() as stop:
            found = run_bench(
                backend,
                config,
                vocab_size=tokenizer.vocab_size,
                control_ids=tokenizer.control_ids,
                cancelled=stop.requested,
                told=progress.advance,
            )
        peak = peak_resident_bytes()  # before the buffer that bandwidth is measured with
        card = card_in_use() if backend.name == "cuda" else None
        card_peak = None if card is None else peak_card_bytes()
        backend.close()
        if found is None:
            return INTERRUPTED
        progress.say("Measuring how fast memory is read ...")
        threads = thread_count()
        report = BenchReport(
            manifest=bundle.manifest,
            backend=backend.name,
            compute_units=place.compute_units,
            bench=found,
            load=Spread(loads),
            peak_bytes=peak,
            read_bandwidth=read_bandwidth(threads) if card is None else card_bandwidth(),
            threads=threads,
            card=card,
            card_peak_bytes=card_peak,
        )
    if not options.json:
        asked = options.config
        shortened = (config.prompt_tokens, config.new_tokens) != (asked.prompt_tokens, asked.new_tokens)
        out.write(bench_text(report, shortened=shortened) + "\n\n")
    write_json(out, report.to_json())
    return 0 if found.complete else INTERRUPTED


def at_once_on(card: Card, manifest: Manifest) -> int:
    """Answers that are written together unless asked otherwise: 32, or those whose caches fit half of what is free."""
    room = (card.free_bytes or 0) // 2 // (cache_bytes(manifest) * manifest.context_length)
    return max(1, min(_AT_ONCE_ON_A_CARD, room))


def bench_text(report: BenchReport, *, shortened: bool = False) -> str:
    """The figures for people. `shortened`: prompt and answer are not as long as they are elsewhere."""
    bench, config = report.bench, report.bench.config
    memory = [
        ("memory, most resident", _size(report.peak_bytes)),
        ("memory, most private", _size(bench.private_bytes)),
    ]
    if report.card_peak_bytes is not None:
        memory.append(("memory, most on the card", memory_size(report.card_peak_bytes)))
    together = [] if bench.at_once_rate is None else [_together(config.at_once, bench.at_once_rate)]
    rows = [
        ("prompt, tokens/s", *_spread(bench.prefill_rate)),
        ("answer, tokens/s", *_spread(bench.decode_rate)),
        *together,
        ("first token after, s", *_spread(bench.first_token)),
        ("load, s", *_spread(report.load)),
        *memory,
        ("read for a token of the answer", data_size(report.token_bytes)),
        ("memory bandwidth", f"{report.read_bandwidth / 1e9:.1f} GB/s"),
        ("share of the bandwidth", f"{100 * report.bandwidth_share:.1f} %"),
    ]
    runs = f"{len(bench.runs)} run{'' if len(bench.runs) == 1 else 's'}"
    done = runs if bench.complete else f"stopped after {runs}"
    threads = f"{report.threads} thread{'' if report.threads == 1 else 's'}"
    where = threads if report.card is None else f"{report.card.name}, driver {report.card.driver or 'unknown'}"
    head = (
        f"{report.manifest.name} on {report.device}: prompt {config.prompt_tokens:,} tokens, answer "
        f"{config.new_tokens:,} tokens, {done}, {where}"
    )
    lines = [wrapped(head), "", table(rows, heads=("", "median", "least", "most"))]
    if shortened:
        context = f"{report.manifest.context_length:,}"
        lines.append(wrapped(f"Prompt and answer were shortened to fit the model's context of {context} tokens."))
    lines += [wrapped(note) for note in report.notes]
    return "\n".join(lines)


def _together(count: int, rate: Spread) -> tuple[str, str, str, str]:
    return (f"{count:,} answers at once, tokens/s", *_spread(rate))


def _spread(spread: Spread) -> tuple[str, str, str]:
    return number(spread.median), number(spread.low), number(spread.high)


def _size(count: int | None) -> str:
    return "not told by this system" if count is None else memory_size(count)
