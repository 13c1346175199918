"""Sizes as the user's language writes them: disks count in thousands, memory in 1,024. No line breaks inside them."""

from __future__ import annotations

from PySide6.QtCore import QLocale


def disk_size(count: int) -> str:
    """Bytes on a disk or a line: 3.6 GB is 3,600,000,000."""
    return _size(count, QLocale.DataSizeFormat.DataSizeSIFormat)


def memory_size(count: int) -> str:
    """Bytes of memory, as machines are sold: 16.0 GB is 16 times 1,024³."""
    return _size(count, QLocale.DataSizeFormat.DataSizeTraditionalFormat)


def _size(count: int, form: QLocale.DataSizeFormat) -> str:
    return QLocale().formattedDataSize(count, 1, form).replace(" ", "\u00a0")
