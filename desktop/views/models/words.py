"""Words for what the lists, the form and the progress show."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QDate, QDateTime, QLocale

from desktop.library import ExportState, ModelEntry, disk_size

translate = QCoreApplication.translate  # a name that pyside6-lupdate knows

FORMATS = ("lut4", "lut6", "lut8", "int4", "int8", "fp16")
"""Of weights, the usual one first."""


def format_title(name: str) -> str:
    """A weights format with a plain word on it."""
    return f"{name} – {_formats()[name]}"


def note_of(entry: ModelEntry) -> str:
    """A model's facts in one line."""
    if entry.damaged is not None:
        return translate("Models", "Damaged: it cannot be loaded")
    facts = [entry.format or "", disk_size(entry.bytes) if entry.bytes is not None else ""]
    if entry.context_length is not None:
        facts.append(translate("Models", "{count} tokens").format(count=QLocale().toString(entry.context_length)))
    facts.append(
        {"no": translate("Models", "too large for this computer"), "tight": translate("Models", "memory is tight")}.get(
            entry.fits, ""
        )
    )
    return " · ".join(fact for fact in facts if fact) or translate("Models", "Comes with Falconet")


def fits_title(entry: ModelEntry) -> str:
    """Whether a model fits this machine, in a few words."""
    return {
        "yes": translate("Models", "Fits this computer."),
        "tight": translate("Models", "Fits, but memory is tight."),
        "no": translate("Models", "Too large for this computer."),
        "unknown": "",
    }[entry.fits]


def used_title(seconds: float | None) -> str:
    """When a model was loaded last."""
    if seconds is None:
        return translate("Models", "Never")
    then, locale = QDateTime.fromSecsSinceEpoch(int(seconds)), QLocale()
    if then.date() == QDate.currentDate():
        return translate("Models", "Today, {time}").format(
            time=locale.toString(then.time(), QLocale.FormatType.ShortFormat)
        )
    return locale.toString(then.date(), QLocale.FormatType.ShortFormat)


def stage_title(stage: str) -> str:
    """A stage of an export; the exporter's own word for one that is not known here."""
    known = {
        "": translate("Models", "Getting ready"),
        "download": translate("Models", "Downloading the weights"),
        "hash": translate("Models", "Checking the weights"),
        "measure": translate("Models", "Measuring what each matrix needs"),
        "calibrate": translate("Models", "Listening to the model on a text"),
        "palettize": translate("Models", "Compressing the weights"),
        "convert": translate("Models", "Building the Core ML program"),
        "save": translate("Models", "Writing the package"),
        "locate": translate("Models", "Finding every weight in the package"),
        "verify": translate("Models", "Comparing with the original"),
        "seal": translate("Models", "Sealing the files"),
    }
    return known.get(stage, stage)


def pace(state: ExportState) -> str:
    """How much of a stage is done, how fast, and how long it may still take."""
    facts = []
    if state.total:
        facts.append(
            translate("Models", "{done} of {total}").format(
                done=_amount(state.done, state.unit, lone=True), total=_amount(state.total, state.unit)
            )
        )
    if state.rate:
        facts.append(translate("Models", "{amount} a second").format(amount=_amount(state.rate, state.unit)))
    if state.seconds_left is not None and state.fraction != 1.0:
        facts.append(translate("Models", "about {time} left").format(time=duration(state.seconds_left)))
    return " · ".join(facts)


def duration(seconds: float) -> str:
    """Roughly, as people say it."""
    if seconds < 90:
        return translate("Models", "{count} s").format(count=max(1, round(seconds)))
    if seconds < 90 * 60:
        return translate("Models", "{count} min").format(count=round(seconds / 60))
    return translate("Models", "{hours} h {minutes} min").format(
        hours=int(seconds // 3600), minutes=int(seconds % 3600 // 60)
    )


def _amount(count: float, unit: str, *, lone: bool = False) -> str:
    if unit == "bytes":
        return disk_size(int(count))
    locale = QLocale()
    if count >= 1e9:
        number = translate("Models", "{count} billion").format(count=locale.toString(count / 1e9, "f", 2))
    elif count >= 1e6:
        number = translate("Models", "{count} million").format(count=locale.toString(count / 1e6, "f", 1))
    else:
        number = locale.toString(round(count)) if count >= 10 or count == int(count) else locale.toString(count, "f", 1)
    names = {
        "weights": translate("Models", "weights"),
        "matrices": translate("Models", "matrices"),
        "layers": translate("Models", "layers"),
        "steps": translate("Models", "steps"),
    }
    return number if lone else f"{number} {names.get(unit, unit)}"


def _formats() -> dict[str, str]:
    return {
        "lut4": translate("Models", "smallest, the usual choice"),
        "lut6": translate("Models", "half as large again, closer to the original"),
        "lut8": translate("Models", "twice as large, hardly to be told from the original"),
        "int4": translate("Models", "about as small, plain integers"),
        "int8": translate("Models", "twice as large, plain integers"),
        "fp16": translate("Models", "not compressed, four times as large"),
    }
