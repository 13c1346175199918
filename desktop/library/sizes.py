"""Sizes as the user's language writes them: disks count in thousands, memory in 1,024."""

from __future__ import annotations

from PySide6.QtCore import QLocale


def disk_size(count: int) -> str:
    """Bytes on a disk or a line: 3.6 GB is 3,600,000,000."""
    return QLocale().formattedDataSize(count, 1, QLocale.DataSizeFormat.DataSizeSIFormat)


def memory_size(count: int) -> str:
    """Bytes of memory, as machines are sold: 16.0 GB is 16 times 1,024³."""
    return QLocale().formattedDataSize(count, 1, QLocale.DataSizeFormat.DataSizeTraditionalFormat)
