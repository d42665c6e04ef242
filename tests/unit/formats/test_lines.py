import pytest

from artlock.formats.lines import line_of_declaration, line_of_row
from artlock.formats.lockfile import format_lockfile
from tests.unit.model.test_diff import lock, tree
from tests.unit.model.test_renames import row

NAMES = ['quo"te', "z\u00fcrich/\u2603 snow", "a", "b", "b,c", "["]
TEXT = format_lockfile(lock(tree("one", *map(row, NAMES)), tree("two", row("a"), row("x"))))


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_found_by_its_path_in_its_artifact(name: str) -> None:
    line = line_of_row(TEXT, "one", name)
    assert line is not None
    rows = format_lockfile(lock(tree("one", row(name)))).splitlines()
    assert TEXT.splitlines()[line - 1] == rows[-2]


def test_rows_of_other_artifacts_are_not_taken() -> None:
    lines = TEXT.splitlines()
    found = line_of_row(TEXT, "two", "a")
    assert found is not None
    assert found > lines.index(b'name = "two"')
    assert line_of_row(TEXT, "one", "x") == line_of_row(TEXT, "one")


def test_a_head_is_found_and_what_is_not_there_is_not() -> None:
    line = line_of_row(TEXT, "two")
    assert line is not None
    assert TEXT.splitlines()[line - 1 : line + 1] == [b"[[artifact]]", b'name = "two"']
    assert line_of_row(TEXT, "tw") is None
    assert line_of_row(b"", "two", "a") is None
    assert line_of_row(TEXT[TEXT.index(b"[[artifact]]") :], "one") == 1


def test_a_declaration_is_found_at_its_uri_or_its_table() -> None:
    text = '[artlock]\nversion = 1\n[artifacts]\na.uri = "x"\n[artifacts.b]\npath = "p"\n'
    assert line_of_declaration(text, "a") == 4
    assert line_of_declaration(text, "b") == 5
