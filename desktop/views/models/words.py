"""Words for what the lists, the form and the progress show."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QDate, QDateTime, QLocale

from desktop.library import ExportState, ModelEntry, disk_size

FORMATS = ("lut4", "lut6", "lut8", "int4", "int8", "fp16")
"""Of weights, the usual one first."""


def format_title(name: str) -> str:
    """A weights format with a plain word on it."""
    return f"{name} – {_formats()[name]}"


def note_of(entry: ModelEntry) -> str:
    """A model's facts in one line."""
    if entry.damaged is not None:
        return _tr("Damaged: it cannot be loaded")
    facts = [entry.format or "", disk_size(entry.bytes) if entry.bytes is not None else ""]
    if entry.context_length is not None:
        facts.append(_tr("{count} tokens").format(count=QLocale().toString(entry.context_length)))
    facts.append({"no": _tr("too large for this computer"), "tight": _tr("memory is tight")}.get(entry.fits, ""))
    return " · ".join(fact for fact in facts if fact) or _tr("Comes with Falconet")


def fits_title(entry: ModelEntry) -> str:
    """Whether a model fits this machine, in a few words."""
    return {
        "yes": _tr("Fits this computer."),
        "tight": _tr("Fits, but memory is tight."),
        "no": _tr("Too large for this computer."),
        "unknown": "",
    }[entry.fits]


def used_title(seconds: float | None) -> str:
    """When a model was loaded last."""
    if seconds is None:
        return _tr("Never")
    then, locale = QDateTime.fromSecsSinceEpoch(int(seconds)), QLocale()
    if then.date() == QDate.currentDate():
        return _tr("Today, {time}").format(time=locale.toString(then.time(), QLocale.FormatType.ShortFormat))
    return locale.toString(then.date(), QLocale.FormatType.ShortFormat)


def stage_title(stage: str) -> str:
    """A stage of an export; the exporter's own word for one that is not known here."""
    known = {
        "": _tr("Getting ready"),
        "download": _tr("Downloading the weights"),
        "hash": _tr("Checking the weights"),
        "measure": _tr("Measuring what each matrix needs"),
        "calibrate": _tr("Listening to the model on a text"),
        "palettize": _tr("Compressing the weights"),
        "convert": _tr("Building the Core ML program"),
        "save": _tr("Writing the package"),
        "locate": _tr("Finding every weight in the package"),
        "verify": _tr("Comparing with the original"),
        "seal": _tr("Sealing the files"),
    }
    return known.get(stage, stage)


def pace(state: ExportState) -> str:
    """How much of a stage is done, how fast, and how long it may still take."""
    facts = []
    if state.total:
        facts.append(
            _tr("{done} of {total}").format(
                done=_amount(state.done, state.unit, lone=True), total=_amount(state.total, state.unit)
            )
        )
    if state.rate:
        facts.append(_tr("{amount} a second").format(amount=_amount(state.rate, state.unit)))
    if state.seconds_left is not None and state.fraction != 1.0:
        facts.append(_tr("about {time} left").format(time=duration(state.seconds_left)))
    return " · ".join(facts)


def duration(seconds: float) -> str:
    """Roughly, as people say it."""
    if seconds < 90:
        return _tr("{count} s").format(count=max(1, round(seconds)))
    if seconds < 90 * 60:
        return _tr("{count} min").format(count=round(seconds / 60))
    return _tr("{hours} h {minutes} min").format(hours=int(seconds // 3600), minutes=int(seconds % 3600 // 60))


def _amount(count: float, unit: str, *, lone: bool = False) -> str:
    if unit == "bytes":
        return disk_size(int(count))
    locale = QLocale()
    if count >= 1e9:
        number = _tr("{count} billion").format(count=locale.toString(count / 1e9, "f", 2))
    elif count >= 1e6:
        number = _tr("{count} million").format(count=locale.toString(count / 1e6, "f", 1))
    else:
        number = locale.toString(round(count)) if count >= 10 or count == int(count) else locale.toString(count, "f", 1)
    names = {
        "weights": _tr("weights"),
        "matrices": _tr("matrices"),
        "layers": _tr("layers"),
        "steps": _tr("steps"),
    }
    return number if lone else f"{number} {names.get(unit, unit)}"


def _formats() -> dict[str, str]:
    return {
        "lut4": _tr("smallest, the usual choice"),
        "lut6": _tr("half as large again, closer to the original"),
        "lut8": _tr("twice as large, hardly to be told from the original"),
        "int4": _tr("about as small, plain integers"),
        "int8": _tr("twice as large, plain integers"),
        "fp16": _tr("not compressed, four times as large"),
    }


def _tr(text: str) -> str:
    return QCoreApplication.translate("Models", text)
