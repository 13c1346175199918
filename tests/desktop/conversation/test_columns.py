"""Columns share the width that a table has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from desktop.views.conversation.columns import share

COLUMNS = st.lists(st.tuples(st.integers(1, 200), st.integers(0, 2000)), min_size=1, max_size=8)


def test_all_get_what_they_want_where_there_is_room() -> None:
    assert share([10, 20], [30, 80], 200) == [30, 80]


def test_one_long_column_leaves_the_short_ones_as_they_are() -> None:
    assert share([40, 20, 30], [600, 20, 90], 400) == [290, 20, 90]


def test_long_columns_share_by_what_they_need() -> None:
    assert share([50, 50], [450, 250], 400) == [250, 150]


def test_less_room_than_the_least_gives_the_least() -> None:
    assert share([100, 100], [300, 300], 150) == [100, 100]


@given(COLUMNS, st.integers(0, 3000))
def test_no_column_is_below_its_least_or_above_its_wish_and_all_fit(columns: list[tuple[int, int]], room: int) -> None:
    least = [low for low, _ in columns]
    natural = [low + more for low, more in columns]
    widths = share(least, natural, room)
    assert all(low <= width <= high for low, width, high in zip(least, widths, natural, strict=True))
    assert sum(widths) <= max(room, sum(least))
    assert sum(widths) >= min(room, sum(natural)) - len(columns)
