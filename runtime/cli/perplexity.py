"""The command `perplexity`."""

from __future__ import annotations

from typing import TextIO

from runtime.cli.conversation import INTERRUPTED
from runtime.cli.echo import no_echo
from runtime.cli.measuring import PerplexityOptions
from runtime.cli.progress import ProgressLine
from runtime.cli.scoring import open_named, read_text
from runtime.cli.table import estimate, table, write_json
from runtime.interrupt import StopOnInterrupt
from runtime.measure.perplexity import measure_perplexity


def run_perplexity(options: PerplexityOptions, stdin: TextIO, out: TextIO, err: TextIO) -> int:
    """Score a text and say how surprising it was; returns the exit code."""
    text = read_text(options.text, options.model, stdin, err)
    with ProgressLine(err) as progress, no_echo(stdin):
        model = open_named(options.model, options.place, progress, err)
        ids = text.encode(model.tokenizer)
        windows, context = text.windows(model.tokenizer, model.backend)
        progress.start("perplexity", sum(window.fed for window in windows))
        with StopOnInterrupt() as stop:
            found = measure_perplexity(
                model.backend,
                ids,
                windows,
                token_bytes=lambda token: model.tokenizer.token_bytes(token),
                cancelled=stop.requested,
                told=progress.advance,
            )
        backend = model.backend.name
        model.backend.close()
    if found is None:
        return INTERRUPTED
    if options.json:
        write_json(
            out,
            {
                "command": "perplexity",
                "model": model.name,
                "backend": backend,
                "context": context,
                "stride": options.text.stride,
                **found.to_json(),
            },
        )
    else:
        stopped = "" if found.complete else "stopped; so far "
        out.write(f"{model.name} on {backend}\n")
        out.write(f"{stopped}{text.words(found.tokens, found.windows, context)}\n\n")
        rows = [
            ("perplexity", *estimate(found.perplexity)),
            ("loss, nats a token", *estimate(found.loss)),
            ("bits per byte", *estimate(found.bits_per_byte)),
        ]
        out.write(table(rows) + "\n")
    return 0 if found.complete else INTERRUPTED
