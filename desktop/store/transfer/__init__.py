"""Transfer: chats to Markdown, an archive of it, HTML and JSON; chats from that JSON, from ChatGPT and LM Studio."""

from __future__ import annotations

from desktop.store.transfer.errors import TransferError
from desktop.store.transfer.exporting import Kind, export_chats, render, render_paper
from desktop.store.transfer.html import Paper, PaperFormula
from desktop.store.transfer.importing import import_file, import_in_pieces, is_large
from desktop.store.transfer.pieces import CancelledError

__all__ = [
    "CancelledError",
    "Kind",
    "Paper",
    "PaperFormula",
    "TransferError",
    "export_chats",
    "import_file",
    "import_in_pieces",
    "is_large",
    "render",
    "render_paper",
]
