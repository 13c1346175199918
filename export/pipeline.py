"""The whole way: source -> compressed tensors -> Core ML package -> check -> verification -> bundle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from export import convert, locate, package, probes, space, writer
from export.budget import parse_size
from export.calibrate import file_hash
from export.census import check_program
from export.compress import compress
from export.measures import get_calibration, spread_bits
from export.progress import Progress
from export.recipes import Recipe, make_recipe
from export.reference import CheckpointReader, StoreReader
from export.sources import ResolvedSource, resolve, source_hash
from export.store import TensorStore
from export.trace import build_marked, trace
from export.verify import verify
from models.checkpoint import Checkpoint, expected_shapes
from models.config import FalconConfig
from runtime.errors import OptionError, UserFacingError
from runtime.manifest import MANIFEST_NAME
from runtime.mil import Program


class ExportError(UserFacingError):
    """An export that cannot begin or go on."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What the user chose. `context_length` None is 2,048 or the model's, whichever is less."""

    output: Path | None = None  # default: bundles/<name>-<weights>
    weights: str = "lut4"
    group_size: int = 32
    context_length: int | None = None
    max_kl: float | None = None  # nats a token that verification accepts on average; None is the recipe's
    size: str | None = None  # of all tensors, like "3.6GB": bits are spread by measured error
    calibrate: Path | None = None  # a text whose activations weigh the codebooks
    offline: bool = False  # use only what the Hub's cache holds
    force: bool = False
    verify: bool = True


def export(named: str, options: ExportOptions, progress: Progress) -> Path:
    """Export the model `named` (a known name or a folder) and return the bundle's folder.

    Nothing appears at the output before all of it is verified; a killed export goes on where it was.
    Raises UserFacingError for everything that the user can mend.
    """
    if sys.platform == "win32":
        raise ExportError(
            "Core ML packages cannot be written on Windows: export on macOS or Linux (WSL will do) and copy the bundle."
        )
    source = resolve(named, offline=options.offline, progress=progress)
    checkpoint = Checkpoint.open(source.folder)
    recipe = make_recipe(
        checkpoint.config,
        weights=options.weights,
        group_size=options.group_size,
        context_length=options.context_length,
        mean_kl=options.max_kl,
        size_bytes=parse_size(options.size) if options.size else None,
        calibration=file_hash(options.calibrate) if options.calibrate else None,
    )
    output = options.output or Path("bundles") / f"{source.name}-{'mixed' if options.size else options.weights}"
    _check_output(output, force=options.force)
    tokenizer = writer.read_tokenizer(checkpoint.folder, checkpoint.config)
    digest = source_hash(checkpoint, progress)
    with _work_folder(output, digest, recipe) as work:
        partial = _build(source, checkpoint, tokenizer, recipe, digest, work, options, progress)
        _check_output(output, force=options.force)  # once more: something may have appeared there meanwhile
        _put_in_place(partial, output)
    return output


def _build(
    source: ResolvedSource,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    recipe: Recipe,
    digest: str,
    work: Path,
    options: ExportOptions,
    progress: Progress,
) -> Path:
    """The whole bundle in the work folder."""
    config = checkpoint.config
    partial = work / "bundle"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    writer.copy_tokenizer(checkpoint.folder, partial)
    writer.copy_config(checkpoint.folder, partial, config)
    store = TensorStore(work / "tensors")
    progress.note(space.check_space(work, config, recipe, already=_size(store.folder)))
    calibration = get_calibration(work, checkpoint, recipe, options.calibrate, tokenizer, progress)
    recipe = spread_bits(work, checkpoint, recipe, calibration, progress)
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
        measured = verify(
            path,
            config,
            original=CheckpointReader(checkpoint),
            stored=StoreReader(store),
            probes=probes.probe_tokens(tokenizer, recipe.context_length),
            tolerance=recipe.tolerance,
            progress=progress,
        )
        parity |= measured.to_json()
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
    return partial


def _make_package(
    source: ResolvedSource,
    config: FalconConfig,
    recipe: Recipe,
    store: TensorStore,
    path: Path,
    work: Path,
    progress: Progress,
) -> None:
    matrices = sum(len(shape) == 2 for shape in expected_shapes(config).values())
    progress.start("convert", matrices, "matrices")
    marked = build_marked(config, recipe.context_length, store)
    # coremltools holds every array until the package is saved; without this, resident memory grows to their sum.
    size = space.stored_bytes(config, recipe)[1]
    try:
        with _temporary_files_in(work / "temporary"), store.mapped.dropping():
            mlmodel = convert.convert(marked, trace(marked), store, progress.advance)
            progress.finish()
            progress.start("save", size, "bytes")
            package.save_package(mlmodel, path, name=source.name, hub_name=source.hub_name)
            progress.finish()
    except RuntimeError:  # all that coremltools' writer says of a full disk
        if shutil.disk_usage(work).free > 2 * size:
            raise
        raise space.SpaceError(
            f"The disk of {work.parent} filled up while the package was written; "
            "free some space and run the same command again to go on."
        ) from None


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


@contextlib.contextmanager
def _work_folder(output: Path, digest: str, recipe: Recipe) -> Iterator[Path]:
    """A folder beside the output for this source and recipe; another's remains are cleared. One export at a time.

    It goes when the export has ended, well or refused. What was killed, or stopped by a full disk, goes on in it.
    """
    import fcntl

    folder = output.parent / f".{output.name}.falconet-work"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise ExportError(
            f"{output.parent} cannot be written ({error.strerror}); name another place with --output."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(lock.fileno()), (folder / "lock").stat()):
                raise FileNotFoundError  # the one who held it has just cleared the folder
        except OSError:
            raise ExportError(f"Another export is writing {output}; wait for it or name another --output.") from None
        key = hashlib.sha256(
            json.dumps([digest, recipe.to_json(), writer.tool_versions()], sort_keys=True).encode()
        ).hexdigest()
        mark = folder / "key"
        if not mark.exists() or mark.read_text(encoding="utf-8") != key:
            for item in folder.iterdir():
                if item.name != "lock":
                    shutil.rmtree(item) if item.is_dir() else item.unlink()
            mark.write_text(key, encoding="utf-8")
        try:
            yield folder
        except space.SpaceError:
            if not _size(folder / "tensors"):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        except UserFacingError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _check_output(output: Path, *, force: bool) -> None:
    if not output.exists():
        return
    if not force:
        raise OptionError(f"{output} exists; remove it, pass --force to replace it, or name another --output.")
    is_bundle = (output / MANIFEST_NAME).exists() and (output / writer.PACKAGE).exists()
    if not is_bundle and not (output.is_dir() and not any(output.iterdir())):
        raise OptionError(f"{output} is no bundle, so --force does not replace it; name another --output.")


def _put_in_place(partial: Path, output: Path) -> None:
    """Rename into place; an old bundle is set aside first and removed last."""
    old = output.parent / f".{output.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if output.exists():
        output.rename(old)
    try:
        partial.rename(output)
    except OSError:
        if old.exists():
            old.rename(output)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
