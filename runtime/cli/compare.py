"""The command `compare`."""

from __future__ import annotations

from typing import TextIO

from runtime.cli.conversation import INTERRUPTED
from runtime.cli.echo import no_echo
from runtime.cli.measuring import CompareOptions
from runtime.cli.progress import ProgressLine
from runtime.cli.scoring import Text, open_named, read_text
from runtime.cli.table import estimate, number, percent, table, write_json
from runtime.errors import TokenizerError
from runtime.interrupt import StopOnInterrupt
from runtime.measure.divergence import DELTA_SHARES, KL_SHARES, Comparison, compare_models
from runtime.measure.models import OpenModel
from runtime.measure.statistics import correlation_of, mean_of, percentiles, root_mean_square

_SHOWN_DELTAS = (0.0, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 100.0)  # JSON has all of DELTA_SHARES
_NAMES = {0.0: "least", 50.0: "median", 100.0: "most"}


def run_compare(options: CompareOptions, stdin: TextIO, out: TextIO, err: TextIO) -> int:
    """Run both models over a text and say how far they are apart; returns the exit code."""
    text = read_text(options.text, options.model, stdin, err)
    with ProgressLine(err) as progress, no_echo(stdin):
        model = open_named(options.model, options.place, progress, err)
        reference = open_named(options.reference, options.place, progress, err)
        ids = shared_ids(text, model, reference)
        windows, context = text.windows(model.tokenizer, model.backend, reference.backend)
        progress.start("compare", sum(window.fed for window in windows))
        with StopOnInterrupt() as stop:
            found = compare_models(
                model.backend, reference.backend, ids, windows, cancelled=stop.requested, told=progress.advance
            )
        model.backend.close()
        reference.backend.close()
    if found is None:
        return INTERRUPTED
    if options.json:
        write_json(
            out,
            {
                "command": "compare",
                "model": model.name,
                "reference": reference.name,
                "backend": model.backend.name,
                "reference_backend": reference.backend.name,
                "context": context,
                "stride": options.text.stride,
                **found.to_json(),
            },
        )
    else:
        stopped = "" if found.complete else "stopped; so far "
        out.write(f"{_label(model)} against {_label(reference)}\n")
        out.write(f"{stopped}{text.words(found.tokens, found.windows, context)}\n\n")
        out.write(comparison_table(found) + "\n")
    return 0 if found.complete else INTERRUPTED


def shared_ids(text: Text, model: OpenModel, reference: OpenModel) -> list[int]:
    """The text's ids, the same for both. Raises TokenizerError where the models do not share a vocabulary."""
    ours, theirs = model.backend.vocab_size, reference.backend.vocab_size
    if ours != theirs:
        raise TokenizerError(
            f"{model.name} scores {ours:,} tokens and {reference.name} {theirs:,}: only models of one vocabulary can "
            "be compared."
        )
    ids = text.encode(model.tokenizer)
    if ids != text.encode(reference.tokenizer):
        raise TokenizerError(
            f"{model.name} and {reference.name} cut the text into different tokens: only models of one tokenizer can "
            "be compared."
        )
    return ids


def comparison_table(found: Comparison) -> str:
    """The figures for people."""
    delta = found.delta_p
    rms, mean_delta, same = root_mean_square(delta), mean_of(delta), mean_of(found.same_top)
    rows = [
        ("perplexity", *estimate(found.perplexity, 5)),
        ("perplexity of the reference", *estimate(found.reference_perplexity, 5)),
        ("ratio", *estimate(found.log_ratio.exp, 5)),
        ("ln ratio", *estimate(found.log_ratio)),
        ("correlation of ln p", percent(correlation_of(found.loss, found.reference_loss))),
        ("likeliest token the same", percent(same.value), f"± {percent(same.error)}"),
        (),
        ("KL(reference || model), nats a token, mean", *estimate(mean_of(found.kl))),
    ]
    rows += [(f"  {_share(share)}", number(value)) for share, value in percentiles(found.kl, KL_SHARES).items()]
    rows += [
        (),
        ("Δp of the text's own token, mean", percent(mean_delta.value), f"± {percent(mean_delta.error)}"),
        ("  root mean square", percent(rms.value), f"± {percent(rms.error)}"),
    ]
    deltas = percentiles(delta, DELTA_SHARES)
    rows += [(f"  {_share(share)}", percent(deltas[share])) for share in _SHOWN_DELTAS]
    return table(rows)


def _share(share: float) -> str:
    return _NAMES.get(share, f"{share:g} %")


def _label(model: OpenModel) -> str:
    return f"{model.name} ({model.backend.name})"
