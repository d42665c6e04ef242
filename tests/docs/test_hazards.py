"""Every hazard is held by a test, or the page says why not."""

from tests.docs.hazards import (
    HAZARDS,
    _rows_of_case,
    _rows_of_functions,
    holders,
    page_rows,
    with_holders,
)

_LAST_ROWS = {"1": 53, "2": 29, "3": 29, "4": 20, "5": 30}
_ALL = [f"{part}.{n}" for part, last in _LAST_ROWS.items() for n in range(1, last + 1)]


def test_the_page_has_every_row_once_and_in_order() -> None:
    assert list(page_rows(HAZARDS.read_text("utf-8"))) == _ALL


def test_tests_name_no_other_rows() -> None:
    assert set(holders()) <= set(_ALL)


def test_the_page_names_the_tests_of_now() -> None:
    page = HAZARDS.read_text("utf-8")
    assert with_holders(page) == page, "run `python -m tests.docs`"


def test_what_no_test_holds_has_a_reason() -> None:
    rows = page_rows(HAZARDS.read_text("utf-8"))
    assert [row for row, (held, why) in rows.items() if not held and not why] == []


def test_rows_are_read_from_names() -> None:
    text = "def test_3_8_3_12_a(): ...\nclass A:\n  def test_1_2_b(self): ..."
    assert sorted(_rows_of_functions(text)) == ["1.2", "3.12", "3.8"]
    ranged = _rows_of_functions("def test_2_1_to_2_3_a(): ...")
    assert list(ranged) == ["2.1", "2.2", "2.3"]
    assert _rows_of_case("# 3.8, 3.12: killed\nartlock sync") == ["3.8", "3.12"]
    assert _rows_of_case("# a case\n# 3.8: no") == []
