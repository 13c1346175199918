"""In which way a backend's scores are wrong, where that tells what in it fails."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.doctor.plan import Feed

_CACHE = "it is right until it looks back: keys and values that it stored are not kept from one call to the next"
_PIECES = "it is right token by token, and wrong where several are fed at once, as if it mixed up their queries"


def pattern(feeds: Sequence[Feed], right: Sequence[bool]) -> str:
    """A sentence on what the positions of `feeds` that are wrong have in common, or nothing. `right` may be cut short.

    Both faults have been reported of Core ML (docs/decisions/029).
    """
    first: list[bool] = []
    later: list[bool] = []
    single: list[bool] = []  # of feeds that go token by token
    wide: list[bool] = []  # the first of feeds that do not
    at = 0
    for feed in feeds:
        mine = right[at : at + feed.rows]
        at += feed.rows
        first += mine[:1]
        later += mine[1:]
        if feed.pieces[0] > 1:
            wide += mine[:1]
        elif len(feed.pieces) > 1:
            single += mine
    if first and all(first) and later and 2 * sum(later) < len(later):
        return _CACHE
    if single and all(single) and wide and not any(wide):
        return _PIECES
    return ""
