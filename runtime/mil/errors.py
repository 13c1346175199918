"""What can be wrong with a saved Core ML package or with what is fed to it."""

from __future__ import annotations

from runtime.errors import UserFacingError


class PackageError(UserFacingError):
    """A folder that is no .mlpackage, or one whose manifest or program is damaged or of another kind."""


class WeightFileError(UserFacingError):
    """A weight.bin that is missing, truncated, damaged or at odds with the program that refers to it."""


class UnsupportedOpError(UserFacingError):
    """A program with an op, or a use of one, that the interpreter does not know."""


class InputError(UserFacingError):
    """A prediction whose inputs or state do not fit the program."""
