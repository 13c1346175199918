"""Why the window cannot open."""

from __future__ import annotations

from runtime import UserFacingError


class DesktopError(UserFacingError):
    """The window cannot open here: one sentence says why and what to do."""
