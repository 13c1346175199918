"""The whole way: source -> compressed tensors -> Core ML package -> check -> verification -> bundle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from export import convert, locate, package, probes, space, writer
from export.budget import parse_size
from export.calibrate import CalibrationText
from export.census import check_program
from export.compress import compress
from export.measures import get_calibration, spread_bits
from export.open_files import allow_open_files
from export.progress import Progress
from export.recipes import Recipe, check_choices, make_recipe
from export.reference import CheckpointReader, StoreReader
from export.sources import ResolvedSource, resolve, source_hash
from export.store import TensorStore
from export.trace import build_marked, trace
from export.verify import QualityError, VerificationError, verify
from export.workfolder import WorkFolder, behind_link, check_output, disk_full, work_folder
from models.checkpoint import Checkpoint, expected_shapes
from models.config import FalconConfig
from models.errors import CheckpointError
from runtime.chat import RAW, formats
from runtime.errors import OptionError
from runtime.interrupt import StopOnInterrupt
from runtime.mil import Program


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What the user chose. `context_length` None is 2,048 or the model's, whichever is less."""

    output: Path | None = None  # default: bundles/<name>-<weights>
    weights: str = "lut4"
    group_size: int | None = None  # output rows that share a codebook; None is the recipe's
    context_length: int | None = None
    max_kl: float | None = None  # nats a token that verification accepts on average; None is the recipe's
    size: str | None = None  # of all tensors, like "3.6GB": bits are spread by measured error
    calibrate: Path | None = None  # a text whose activations weigh the codebooks
    offline: bool = False  # use only what the Hub's cache holds
    revision: str | None = None  # commit, branch or tag on the Hub; None is what the name stands for
    force: bool = False
    verify: bool = True


def export(named: str, options: ExportOptions, progress: Progress) -> Path:
    """Export the model `named` (a known name or a folder) and return the bundle's folder.

    Nothing appears at the output before all of it is verified; a killed export goes on where it was. What can be
    refused without the weights is refused before they are fetched or read. Raises UserFacingError for everything that
    the user can mend.
    """
    size_bytes = _check_options(options)
    text = CalibrationText.read(options.calibrate) if options.calibrate else None
    source = resolve(named, revision=options.revision, offline=options.offline, progress=progress)
    config = FalconConfig.open(source.folder)
    # Of a folder, weights of another shape than config.json says are told before options that do not suit the latter.
    checkpoint = Checkpoint.open(source.folder) if source.revision is None else None
    recipe = make_recipe(
        config,
        weights=options.weights,
        group_size=options.group_size,
        context_length=options.context_length,
        mean_kl=options.max_kl,
        size_bytes=size_bytes,
        calibration=text.hash if text else None,
    )
    space.check_size(config, recipe)
    allow_open_files(len(expected_shapes(config)))
    tokenizer = writer.read_tokenizer(source.folder, config)
    sequences = text.sequences(tokenizer, recipe.context_length) if text else None
    output = options.output or Path("bundles") / f"{source.name}-{'mixed' if options.size else options.weights}"
    place = behind_link(output)
    with work_folder(place) as work:
        check_output(place, writer.PACKAGE, force=options.force)
        one_disk = work.folder.stat().st_dev == source.folder.stat().st_dev
        download = source.missing_bytes if one_disk else 0  # to another disk, the download has looked itself
        progress.note(space.check_space(work.folder, config, recipe, already=work.size(), download=download))
        source.fetch_weights()
        checkpoint = checkpoint or Checkpoint.open(source.folder)
        digest = source_hash(checkpoint, progress)
        work.begin(_hash([digest, writer.tool_versions()]))
        try:
            _build(source, checkpoint, tokenizer, recipe, digest, sequences, work, options, progress)
        except QualityError as error:
            goes_on = f", which go on from the finished weights in {work.folder}"
            raise QualityError(error.sentence, option=error.option + goes_on) from None
        except (CheckpointError, VerificationError):  # another checkpoint comes next, if any
            work.clear()
            raise
        check_output(place, writer.PACKAGE, force=options.force)  # something may have appeared there meanwhile
        work.finish(place)
    if source.chat_template == RAW and not source.is_known:
        progress.note(
            f"No chat format is known for {source.name}: `chat` continues its text, unless --template names one of "
            f"{formats()}."
        )
    return output


def _check_options(options: ExportOptions) -> int | None:
    """The bytes of --size. Raises OptionError for what no model can have, before one is looked for."""
    if options.max_kl is not None and not options.verify:
        raise OptionError("--max-kl is what verification accepts, which --no-verify leaves out; give one of them.")
    size_bytes = parse_size(options.size) if options.size is not None else None
    check_choices(
        weights=options.weights,
        group_size=options.group_size,
        mean_kl=options.max_kl,
        size_bytes=size_bytes,
        calibrated=options.calibrate is not None,
    )
    return size_bytes


def _build(
    source: ResolvedSource,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    recipe: Recipe,
    digest: str,
    sequences: Sequence[Sequence[int]] | None,  # of the text to calibrate on
    work: WorkFolder,
    options: ExportOptions,
    progress: Progress,
) -> None:
    """The whole bundle in the work folder."""
    config = checkpoint.config
    partial = work.bundle
    partial.mkdir()
    writer.copy_tokenizer(checkpoint.folder, partial)
    writer.copy_config(checkpoint.folder, partial, config)
    # What decides the recorded inputs beside the checkpoint: the tokens.
    calibrated = _hash(sequences)[:16] if sequences else "plain"
    measured = work.measured(calibrated)
    calibration = get_calibration(measured, checkpoint, sequences, progress)
    recipe = spread_bits(measured / str(recipe.group_size), checkpoint, recipe, calibration, progress)
    store = TensorStore(work.tensors, _variants(config, recipe, calibrated))
    store.keep_only_variants()
    compress(checkpoint, recipe, store, progress, calibration)
    path = partial / writer.PACKAGE
    _make_package(source, config, recipe, store, path, work, progress)
    program = Program.open(path)
    names = list(expected_shapes(config))
    stored = {name: store.read(name) for name in names}
    census = check_program(program, config, {n: t.format for n, t in stored.items() if len(t.shape) == 2})
    weights = locate.locate(store, names, path / package.WEIGHTS, progress)
    parity: dict[str, Any] = {"census": census}
    if options.verify:
        found = verify(
            path,
            config,
            original=CheckpointReader(checkpoint),
            stored=StoreReader(store),
            probes=probes.probe_tokens(tokenizer, recipe.context_length),
            tolerance=recipe.tolerance,
            progress=progress,
        )
        parity |= found.to_json()
    writer.write_manifest(
        partial,
        source=source,
        source_sha256=digest,
        config=config,
        recipe=recipe,
        weights=weights,
        errors={n: t.squared_error / t.squared_norm if t.squared_norm else 0.0 for n, t in stored.items()},
        parity=parity,
        progress=progress,
    )


def _make_package(
    source: ResolvedSource,
    config: FalconConfig,
    recipe: Recipe,
    store: TensorStore,
    path: Path,
    work: WorkFolder,
    progress: Progress,
) -> None:
    matrices = sum(len(shape) == 2 for shape in expected_shapes(config).values())
    progress.start("convert", matrices, "matrices")
    marked = build_marked(config, recipe.context_length, store)
    # coremltools holds every array until the package is saved; without this, resident memory grows to their sum.
    size = space.stored_bytes(config, recipe)[1]
    try:
        with _temporary_files_in(work.temporary), store.mapped.dropping():
            traced = trace(marked)
            with StopOnInterrupt() as stop:  # `except:` in coremltools would take Ctrl-C for a shape that does not fit

                def advance(matrices: int) -> None:
                    stop.check()
                    progress.advance(matrices)

                mlmodel = convert.convert(marked, traced, store, advance)
            stop.check()
            progress.finish()
            progress.start("save", size, "bytes")
            package.save_package(mlmodel, path, name=source.name, hub_name=source.hub_name)
            progress.advance(size)
            progress.finish()
    except (RuntimeError, shutil.Error):  # all that coremltools says of a full disk, when it writes and when it copies
        if shutil.disk_usage(work.folder).free > 2 * size:
            raise
        raise disk_full(work.folder.parent) from None


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """coremltools writes whole packages to the system's temporary folder, which may be small or memory."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def _variants(config: FalconConfig, recipe: Recipe, calibrated: str) -> dict[str, str]:
    """By tensor, all that its values depend on beside the checkpoint: so no other option has it made again."""
    variants = {}
    for name, shape in expected_shapes(config).items():
        form = recipe.format_of(name, shape)
        variants[name] = f"{form.name}-{recipe.group_size}-{calibrated}" if form.kind == "lut" else form.name
    return variants


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
