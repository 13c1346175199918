"""Chats on sheets of paper: tables that fit their width, and where one sheet ends and the next one begins."""

from __future__ import annotations

from desktop.views.paper.sheets import Part, Sheet, cut, measure
from desktop.views.paper.tables import fit_tables

__all__ = ["Part", "Sheet", "cut", "fit_tables", "measure"]
