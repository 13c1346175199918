"""Transfer: chats to Markdown, an archive of it, HTML and JSON; chats from that JSON, from ChatGPT and LM Studio."""

from __future__ import annotations

from desktop.store.transfer.errors import TransferError
from desktop.store.transfer.exporting import Kind, export_chats, render, render_paper
from desktop.store.transfer.html import Paper, PaperFormula
from desktop.store.transfer.importing import import_file, import_in_pieces, is_large, size_of
from desktop.store.transfer.pieces import CancelledError
from desktop.store.transfer.progress import Progress

__all__ = [
    "CancelledError",
    "Kind",
    "Paper",
    "PaperFormula",
    "Progress",
    "TransferError",
    "export_chats",
    "import_file",
    "import_in_pieces",
    "is_large",
    "render",
    "render_paper",
    "size_of",
]
