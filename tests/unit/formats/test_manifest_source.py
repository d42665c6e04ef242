"""Where things stand in TOML text."""

import pytest

from artlock.formats.faults import Faults
from artlock.formats.fields import Table
from artlock.formats.toml_source import line_of

TEXT = """\
top = 1 # comment = 2
[a]
b.c = \"\"\"
x = 1 ""\\\"\"\"\"\"\"
'q.r' = '''
y = ''
''' # [no]
list = [
  1, # one
  { in = 'x', deep.er = [[], ["]"]] },
]
when = 1979-05-27 07:32:00Z
[[a.arr]]
k = 'v'
[[a.arr]]
[a.arr.sub]
k = 'w'
["z".'é'."\\u00e9x"]
flag=true
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 1),
        (("a",), 2),
        (("a", "b"), 3),
        (("a", "b", "c"), 3),
        (("a", "q.r"), 5),
        (("a", "list"), 8),
        (("a", "list", 0), 9),
        (("a", "list", 1), 10),
        (("a", "list", 1, "deep", "er", 1, 0), 10),
        (("a", "list", 7), 8),
        (("a", "when"), 12),
        (("a", "arr", 0, "k"), 14),
        (("a", "arr", 1), 15),
        (("a", "arr", 1, "sub", "k"), 17),
        (("z", "é", "éx", "flag"), 19),
        (("nowhere",), None),
        ((), None),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_place_has_its_line(
    place: tuple[str | int, ...], line: int | None, newline: str
) -> None:
    assert line_of(TEXT.replace("\n", newline), place) == line


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a = ",
        "= 1",
        "[a",
        'a = "',
        "a = {b 1}",
        "a = [",
        "a = 1\n[[b]",
        "a =" + "[" * 9999,
    ],
)
def test_what_is_not_toml_has_no_places(text: str) -> None:
    assert line_of(text, ("a",)) is None


def test_a_key_that_the_schema_does_not_name_cannot_be_read() -> None:
    table = Table({}, place=("x",), faults=Faults(), known=("a",))
    assert table.text("a") is None
    with pytest.raises(LookupError, match="`b` is read but is not a known key of x"):
        table.text("b")
