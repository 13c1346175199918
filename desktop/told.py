"""Told: what failed, in the window's language.

The sentences of engine, exporter and chats' file are English. What users meet most has a sentence here, by the class of
the error; the English one, which has the particulars, stands below it.
"""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QCoreApplication

from desktop.translation import QT_TRANSLATE_NOOP
from runtime import UserFacingError

LEADS = {
    "BundleError": QT_TRANSLATE_NOOP("Told", "The files of the model cannot be used."),
    "CheckpointError": QT_TRANSLATE_NOOP("Told", "The files of the model cannot be used."),
    "TokenizerError": QT_TRANSLATE_NOOP("Told", "The files of the model cannot be used."),
    "ContextFullError": QT_TRANSLATE_NOOP(
        "Told", "The conversation is longer than the model can read: begin a new chat, or let the oldest be left out."
    ),
    "DeviceMemoryError": QT_TRANSLATE_NOOP(
        "Told", "The memory of the graphics card is full: close other programs, or choose a smaller model."
    ),
    "MachineMemoryError": QT_TRANSLATE_NOOP(
        "Told", "The computer's memory is full: close other programs, or choose a smaller model."
    ),
    "ProcessKilledError": QT_TRANSLATE_NOOP(
        "Told",
        "The system ended the model, as happens when memory runs out: close other programs, or choose a smaller model.",
    ),
    "ProcessEndedError": QT_TRANSLATE_NOOP("Told", "The model stopped working: restart it."),
    "CoreMLError": QT_TRANSLATE_NOOP("Told", "Core ML could not run the model."),
    "BackendUnavailableError": QT_TRANSLATE_NOOP("Told", "This computer cannot run the model in this way."),
    "EngineError": QT_TRANSLATE_NOOP("Told", "The model cannot answer."),
    "ModelOutputError": QT_TRANSLATE_NOOP("Told", "The model computed nothing that an answer can be chosen from."),
    "ChatError": QT_TRANSLATE_NOOP("Told", "The model cannot be asked this conversation as it is."),
    "OptionError": QT_TRANSLATE_NOOP("Told", "A value that was given cannot be used."),
    "ServiceUnreachableError": QT_TRANSLATE_NOOP(
        "Told", "The remote service cannot be reached: check its address and the network."
    ),
    "KeyRefusedError": QT_TRANSLATE_NOOP("Told", "The remote service refused the key: enter a valid one."),
    "ServiceBusyError": QT_TRANSLATE_NOOP("Told", "The remote service asks to wait: try again later."),
    "ServiceError": QT_TRANSLATE_NOOP("Told", "The remote service gave no answer."),
    "PackageMissingError": QT_TRANSLATE_NOOP("Told", "A part of the program is not installed."),
    "DiskFullError": QT_TRANSLATE_NOOP("Told", "The disk is full: free some space."),
    "UnwritableError": QT_TRANSLATE_NOOP("Told", "The folder of your chats cannot be written."),
    "HeldError": QT_TRANSLATE_NOOP("Told", "Another program holds your chats: close it, and try again."),
    "DamagedError": QT_TRANSLATE_NOOP("Told", "The file of your chats is damaged: start the program again."),
    "TransferError": QT_TRANSLATE_NOOP("Told", "The file of chats cannot be read or written."),
    "StoreError": QT_TRANSLATE_NOOP("Told", "Your chats cannot be read or changed."),
    "PdfError": QT_TRANSLATE_NOOP("Told", "The PDF cannot be written."),
    "SettingsError": QT_TRANSLATE_NOOP("Told", "The settings cannot be kept."),
    "DiskError": QT_TRANSLATE_NOOP("Told", "The disk has too little room for this export."),
    "SpaceError": QT_TRANSLATE_NOOP("Told", "This computer has too little memory for this export."),
    "HubError": QT_TRANSLATE_NOOP("Told", "The model could not be downloaded from the Hugging Face Hub."),
    "SourceError": QT_TRANSLATE_NOOP("Told", "No model was found there."),
    "ConfigError": QT_TRANSLATE_NOOP("Told", "This is no Falcon, or its config.json is damaged."),
    "WeightError": QT_TRANSLATE_NOOP("Told", "The weights of this model cannot be exported."),
    "ExportError": QT_TRANSLATE_NOOP("Told", "The export cannot be made."),
    "ProgramCheckError": QT_TRANSLATE_NOOP("Told", "The exported program is not as it should be."),
    "VerificationError": QT_TRANSLATE_NOOP("Told", "The export did not pass the comparison with the original."),
    "QualityError": QT_TRANSLATE_NOOP("Told", "The export did not pass the comparison with the original."),
}
"""By the name of a class: the exporter is another process, whose errors come as a name and a sentence."""


def told(error: UserFacingError) -> str:
    """An error for people, who have no command line here."""
    return told_as([kind.__name__ for kind in type(error).__mro__], error.sentence)


def told_as(kinds: Iterable[str], sentence: str) -> str:
    """`sentence`, below what the first of `kinds` that is known here means, where that is there in the window's
    language; English has no need of it."""
    lead = next((LEADS[kind] for kind in kinds if kind in LEADS), "")
    translated = QCoreApplication.translate("Told", lead) if lead else ""
    return sentence if translated == lead else f"{translated}\n{sentence}"
