"""The version of the program."""

from __future__ import annotations


def program_version() -> str:
    """The installed version, or `?` where it runs without having been installed."""
    from importlib.metadata import PackageNotFoundError, version  # slow to load, seldom asked for

    try:
        return version("falconet")
    except PackageNotFoundError:
        return "?"
