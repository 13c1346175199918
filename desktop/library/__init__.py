"""Models on this machine, and the work around them: list, export, examination, keys of services."""

from desktop.library.doctor_job import DoctorJob, DoctorState
from desktop.library.entries import Fits, ModelEntry
from desktop.library.export_job import ExportJob, ExportRequest, ExportState, KnownModel, list_known
from desktop.library.keychain import Keychain, KeychainAnswer
from desktop.library.library import ModelLibrary, models_folder

__all__ = [
    "DoctorJob",
    "DoctorState",
    "ExportJob",
    "ExportRequest",
    "ExportState",
    "Fits",
    "Keychain",
    "KeychainAnswer",
    "KnownModel",
    "ModelEntry",
    "ModelLibrary",
    "list_known",
    "models_folder",
]
