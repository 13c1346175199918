"""A picture as a small PNG: at most 256 colours, of which what covers the most keeps its exact value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage, qRgb

_COLOURS = 256
_FREQUENT = 160  # of them are the ones that cover the most; the others those that are farthest from all so far


def save(image: QImage, file: Path) -> None:
    """Write `image`, without its transparency. Raises OSError where the disk fails."""
    indices, colours = reduce(pixels(image))
    small = QImage(image.width(), image.height(), QImage.Format.Format_Indexed8)
    small.setColorTable([qRgb(*(int(channel) for channel in colour)) for colour in colours])
    rows = np.frombuffer(small.bits(), np.uint8).reshape(small.height(), small.bytesPerLine())
    rows[:, : small.width()] = indices
    file.parent.mkdir(parents=True, exist_ok=True)
    if not small.save(str(file), "PNG", 0):  # type: ignore[call-overload]  # 0: compressed the most
        raise OSError(f"{file} cannot be written")


def pixels(image: QImage) -> NDArray[np.uint8]:
    """Of an image: [height, width, 3], red, green, blue."""
    whole = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(whole.constBits(), np.uint8).reshape(whole.height(), whole.bytesPerLine())
    return rows[:, : 4 * whole.width()].reshape(whole.height(), whole.width(), 4)[:, :, 2::-1].copy()


def reduce(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The place of each pixel's colour [height, width] in a table of colours [n, 3], n at most 256.

    A colour that is not in the table becomes the nearest that is: grounds and flat parts keep theirs, and only the
    edges of letters and pictures move, by less than can be seen.
    """
    whole = rgb.astype(np.uint32)
    packed = (whole[..., 0] << 16 | whole[..., 1] << 8 | whole[..., 2]).ravel()
    exact, place, counts = np.unique(packed, return_inverse=True, return_counts=True)
    points = np.stack([exact >> 16, exact >> 8 & 255, exact & 255], axis=1).astype(np.float32)
    order = np.argsort(-counts, kind="stable")
    table = points[order[:_FREQUENT]]
    nearest = np.full(len(points), np.inf, np.float32)
    for colour in table:
        nearest = np.minimum(nearest, ((points - colour) ** 2).sum(axis=1))
    while len(table) < _COLOURS and nearest.max() > 0:
        farthest = points[int(np.argmax(nearest * np.sqrt(counts)))]
        table = np.vstack([table, farthest])
        nearest = np.minimum(nearest, ((points - farthest) ** 2).sum(axis=1))
    chosen = ((points[:, None] - table[None]) ** 2).sum(axis=2).argmin(axis=1)
    return chosen[place].reshape(rgb.shape[:2]).astype(np.uint8), table.astype(np.uint8)
