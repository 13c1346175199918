"""What can be wrong with a saved Core ML package or with what is fed to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import UserFacingError


class PackageError(UserFacingError):
    """A folder that is no .mlpackage, or one whose manifest or program is damaged or of another kind."""


class WeightFileError(UserFacingError):
    """A weight.bin that is missing, truncated, damaged or at odds with the program that refers to it."""


class UnsupportedOpError(UserFacingError):
    """A program with an op, or a use of one, that the interpreter does not know."""


class InputError(UserFacingError):
    """A prediction whose inputs or state do not fit the program."""


@contextmanager
def reading(package: Path) -> Iterator[None]:
    """While a program is read: what it lacks, or what does not fit together in it, is a PackageError.

    Bytes that changed often still make a message that protobuf reads, with names that nothing has and lists that are
    too short; each place that meets one would have to look first. The cause stays attached, in case it is our own.
    """
    try:
        yield
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise PackageError(
            f"The program of {package} is damaged ({type(error).__name__}: {error}). Export or download it again."
        ) from error
