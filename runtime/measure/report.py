"""A benchmark with all that it depends on: bundle, device, machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from runtime.backends.cards import Card
from runtime.manifest import Manifest
from runtime.measure.bench import Bench
from runtime.measure.needs import bytes_per_token
from runtime.measure.statistics import Spread, rounded

_CACHED_BYTES = 128 << 20  # weights below this may stay in a processor's caches from token to token


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """`peak_bytes` None where the system does not tell; `read_bandwidth` in bytes a second, of `threads` threads or,
    with a `card`, of copies on it, read and written."""

    manifest: Manifest
    backend: str
    compute_units: str | None
    bench: Bench
    load: Spread  # seconds
    peak_bytes: int | None
    read_bandwidth: float
    threads: int
    card: Card | None = None  # that the backend runs on
    card_peak_bytes: int | None = None  # the most that this process took of its memory

    @property
    def device(self) -> str:
        """Backend, and Core ML's units where they were chosen."""
        return f"{self.backend} ({self.compute_units})" if self.compute_units else self.backend

    @property
    def token_bytes(self) -> int:
        """What a decoded token must read, with as many before it as there were in the middle of the answer."""
        config = self.bench.config
        return bytes_per_token(self.manifest, config.prompt_tokens + config.new_tokens // 2)

    @property
    def bandwidth_share(self) -> float:
        """Bytes that had to be read a second, in the median run, over what this machine can read. May exceed 1."""
        return self.token_bytes * self.bench.decode_rate.median / self.read_bandwidth

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures should know."""
        notes = []
        if self.token_bytes < _CACHED_BYTES:
            whose = "processor" if self.card is None else "card"
            notes.append(f"The weights are few enough to stay in the {whose}'s caches: the share says little.")
        if self.backend == "cuda" and self.card is None:
            notes.append("Triton's interpreter computed, on the processor: the speeds say nothing.")
        if self.backend == "coreml":
            notes.append(
                "The bandwidth is the processor's; Core ML on a GPU or Neural Engine may read faster. Not yet seen on "
                "a Mac."
            )
        return tuple(notes)

    def to_json(self) -> dict[str, object]:
        """For programs."""
        bench, config = self.bench, self.bench.config
        return {
            "command": "bench",
            "model": self.manifest.name,
            "backend": self.backend,
            "compute_units": self.compute_units,
            "prompt_tokens": config.prompt_tokens,
            "new_tokens": config.new_tokens,
            "repeats": len(bench.runs),
            "warm_up": config.warm_up,
            "seed": config.seed,
            "threads": self.threads,
            "prefill_tokens_per_second": bench.prefill_rate.to_json(),
            "decode_tokens_per_second": bench.decode_rate.to_json(),
            "at_once": config.at_once,
            "at_once_tokens_per_second": None if bench.at_once_rate is None else bench.at_once_rate.to_json(),
            "first_token_seconds": bench.first_token.to_json(),
            "load_seconds": self.load.to_json(),
            "peak_resident_bytes": self.peak_bytes,
            "peak_private_bytes": bench.private_bytes,
            "bytes_per_token": self.token_bytes,
            "read_bytes_per_second": rounded(self.read_bandwidth),
            "card": None if self.card is None else asdict(self.card),
            "card_peak_bytes": self.card_peak_bytes,
            "bandwidth_share": rounded(self.bandwidth_share),
            "complete": bench.complete,
        }
