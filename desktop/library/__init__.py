"""Models on this machine, and the work around them: list, export, examination, keys of services."""

from desktop.library.doctor_job import DoctorJob, DoctorState
from desktop.library.entries import Fits, ModelEntry, has_embedded, why_no_export
from desktop.library.export_job import ExportJob, ExportRequest, ExportState
from desktop.library.kept_export import KeptExport
from desktop.library.keychain import Keychain, KeychainAnswer
from desktop.library.known_models import KnownModel, Takes, list_known
from desktop.library.library import ModelLibrary, models_folder
from desktop.library.service_check import ServiceCheck, ServiceVerdict
from desktop.library.sizes import disk_size, memory_size

__all__ = [
    "DoctorJob",
    "DoctorState",
    "ExportJob",
    "ExportRequest",
    "ExportState",
    "Fits",
    "KeptExport",
    "Keychain",
    "KeychainAnswer",
    "KnownModel",
    "ModelEntry",
    "ModelLibrary",
    "ServiceCheck",
    "ServiceVerdict",
    "Takes",
    "disk_size",
    "has_embedded",
    "list_known",
    "memory_size",
    "models_folder",
    "why_no_export",
]
