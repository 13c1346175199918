"""Tokens: the colours of the window by what they are for, in four schemes with one accent.

Every text colour stands on its backgrounds with a contrast of 4.5 or more, in high contrast 7 (WCAG 2.2, AA and AAA);
lines that mean something, and the focus ring, with 3 or more.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Colours as #rrggbb."""

    window: str  # behind the conversation
    sidebar: str  # behind the list of chats
    raised: str  # menus, dialogs, fields
    text: str
    muted: str  # second-rank text: times, figures, hints
    hairline: str  # lines that only part; they carry no meaning
    outline: str  # edges of fields, which show where one can type
    accent: str  # the one colour: links, what is chosen, the first button, the focus ring
    accent_hover: str
    on_accent: str
    accent_soft: str  # behind a chosen row, text selected, a chip
    hover: str  # behind what the pointer is on
    bubble: str  # behind the user's own messages
    danger: str
    warning: str
    success: str
    notice: str  # behind a banner
    mark: str  # behind what a search found
    code_background: str
    code_text: str
    code_keyword: str
    code_string: str
    code_number: str
    code_comment: str
    code_name: str  # functions, classes
    code_operator: str


LIGHT = Tokens(
    window="#ffffff",
    sidebar="#f5f5f3",
    raised="#ffffff",
    text="#1d1f20",
    muted="#5f6466",
    hairline="#e6e6e3",
    outline="#8a8f90",
    accent="#0b6e63",
    accent_hover="#095b52",
    on_accent="#ffffff",
    accent_soft="#d9ebe8",
    hover="#ebebe8",
    bubble="#eff2f1",
    danger="#b3261e",
    warning="#815400",
    success="#1a6e36",
    notice="#f6f0e0",
    mark="#fbe7a8",
    code_background="#f5f6f6",
    code_text="#1d1f20",
    code_keyword="#8a2c7a",
    code_string="#1a6e36",
    code_number="#8b4000",
    code_comment="#5f6466",
    code_name="#1d55b0",
    code_operator="#4b5052",
)

DARK = Tokens(
    window="#1c1e1f",
    sidebar="#161819",
    raised="#232627",
    text="#e7e8e7",
    muted="#a4a9aa",
    hairline="#2e3233",
    outline="#70777a",
    accent="#5cc4b5",
    accent_hover="#78d3c6",
    on_accent="#06211d",
    accent_soft="#1f4641",
    hover="#282c2d",
    bubble="#292d2e",
    danger="#ff8d84",
    warning="#e7b258",
    success="#74cc92",
    notice="#322c1c",
    mark="#574612",
    code_background="#151718",
    code_text="#e1e3e2",
    code_keyword="#d69fd0",
    code_string="#8fcf9c",
    code_number="#e3a978",
    code_comment="#979d9f",
    code_name="#8fb8f5",
    code_operator="#b9bdbe",
)

LIGHT_CONTRAST = Tokens(
    window="#ffffff",
    sidebar="#ffffff",
    raised="#ffffff",
    text="#000000",
    muted="#2b2b2b",
    hairline="#000000",
    outline="#000000",
    accent="#00463e",
    accent_hover="#00332d",
    on_accent="#ffffff",
    accent_soft="#cfeeea",
    hover="#e4e4e4",
    bubble="#eeeeee",
    danger="#8a0f08",
    warning="#573800",
    success="#0a4a1e",
    notice="#fff3cf",
    mark="#ffe680",
    code_background="#ffffff",
    code_text="#000000",
    code_keyword="#5f0f52",
    code_string="#0a4a1e",
    code_number="#5e2a00",
    code_comment="#333333",
    code_name="#0c357a",
    code_operator="#1a1a1a",
)

DARK_CONTRAST = Tokens(
    window="#000000",
    sidebar="#000000",
    raised="#000000",
    text="#ffffff",
    muted="#d8d8d8",
    hairline="#ffffff",
    outline="#ffffff",
    accent="#7df0df",
    accent_hover="#b4fff3",
    on_accent="#000000",
    accent_soft="#0b4740",
    hover="#262626",
    bubble="#1a1a1a",
    danger="#ffb0a9",
    warning="#ffd27a",
    success="#9df0b6",
    notice="#2a2200",
    mark="#4a3a00",
    code_background="#000000",
    code_text="#ffffff",
    code_keyword="#f3baec",
    code_string="#a9ebb5",
    code_number="#ffc799",
    code_comment="#cccccc",
    code_name="#b0ceff",
    code_operator="#e6e6e6",
)


def tokens(*, dark: bool, high_contrast: bool) -> Tokens:
    """The scheme for these two choices."""
    if high_contrast:
        return DARK_CONTRAST if dark else LIGHT_CONTRAST
    return DARK if dark else LIGHT
