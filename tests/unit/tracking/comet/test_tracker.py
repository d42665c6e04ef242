"""comet.tracker: how long another's unfinished version is waited for."""

import pytest

from artlock.tracking.comet.tracker import patience_s


@pytest.mark.parametrize(
    ("rows", "left_s", "patience"),
    [(10, 120, 20), (10, 8, 2), (10_000, 130, 30), (1_000_000, 1120, 280), (0, 0, 0)],
)
def test_most_of_the_time_is_for_the_push(
    rows: int, left_s: float, patience: float
) -> None:
    assert patience_s(rows, left_s) == pytest.approx(patience, abs=0.1)
