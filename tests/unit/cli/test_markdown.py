import pytest

from artlock.cli.markdown import LIMIT, as_markdown, code
from artlock.model.diff import diff
from artlock.model.renames import with_renames
from tests.unit.model.test_diff import MD5, OTHER, lock, tree
from tests.unit.model.test_renames import B3, row


def test_a_body_has_totals_first_and_rows_folded() -> None:
    old = lock(tree("a", row("gone", OTHER, 2000), row("x", f"{B3} {MD5}")))
    new = lock(tree("a", row("x", version="v2"), row("y", "etag:n", 1)), tree("b"))
    assert as_markdown(diff(old, new), rows=True) == (
        "### Locked data: 2 artifacts changed, -2.0 kB\n"
        "\n"
        "| Artifact | Added | Modified | Renamed | Deleted | Same bytes, other pin "
        "| Objects | Bytes |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|\n"
        "| `a` | 1 |  |  | 1 | 1 | +0 | -2.0 kB |\n"
        "| `b` new |  |  |  |  |  | +0 | 0 B |\n"
        "\n"
        "**Look twice:** 1 row, such as `a/x`, prove less than before: a digest or "
        "checksum is gone.\n"
        "\n"
        "<details><summary>a: 3 objects</summary>\n"
        "\n"
        "| | Object | Bytes |\n"
        "|---|---|--:|\n"
        "| D | `gone` | 2.0 kB |\n"
        "| V | `x` | 5 B |\n"
        "| A | `y` | 1 B |\n"
        "\n"
        "</details>\n"
    )


def test_a_body_without_rows_has_the_table_only() -> None:
    body = as_markdown(diff(lock(tree("a", row("x"))), lock(tree("a"))), rows=False)
    assert "<details>" not in body
    assert "| `a` |" in body


def test_no_change_is_said() -> None:
    assert as_markdown((), rows=True) == "### Locked data\n\nNothing changed.\n"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a/b.txt", "`a/b.txt`"),
        ("a|b", "`a\\|b`"),
        ("a`b", "`` a`b ``"),
        ("``a", "``` ``a ```"),
        (" a", "`  a `"),
        ("<img src=x> @team https://e.example", "`<img src=x> @team https://e.example`"),
        ("a" * 300 + "b" * 300, f"`{'a' * 200}…{'b' * 200}`"),
        ("a\nb\u202ec", "`a\\nb\\u202ec`"),
    ],
)
def test_a_name_cannot_leave_its_code_span(text: str, span: str) -> None:
    assert code(text) == span


@pytest.mark.parametrize("length", [0, 20, 200])
def test_a_body_is_bounded_whatever_changed(length: int) -> None:
    old = lock(*(tree(f"a{n:04}") for n in range(900)))
    rows = [row(f"{'long/' * length}{n:04}") for n in range(101)]
    new = lock(*(tree(f"a{n:04}", *rows) for n in range(900)))
    body = as_markdown(with_renames(diff(old, new)), rows=True)
    assert LIMIT * 0.9 < len(body) <= LIMIT
    assert "| and 850 more |" in body
    assert body.count("<details>") == body.count("</details>")
    assert body.endswith(" more artifacts: `artlock diff` shows them.\n")
