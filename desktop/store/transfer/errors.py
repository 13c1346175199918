"""What keeps chats from being exported or imported."""

from __future__ import annotations

from desktop.store.errors import StoreError


class TransferError(StoreError):
    """A file that holds no chats, is damaged, of a newer form, or cannot be read or written. Nothing was changed."""
