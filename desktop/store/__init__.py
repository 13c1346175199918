"""Chats on disk: SQLite, without Qt."""

from __future__ import annotations

from desktop.store.errors import StoreError
from desktop.store.store import Store

__all__ = ["Store", "StoreError"]
