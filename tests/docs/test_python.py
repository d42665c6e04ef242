"""The examples of the page about Python run, and print what the page says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import artlock
from artlock.cli.main import run

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"
_EXAMPLE = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
EXAMPLES = _EXAMPLE.findall(PAGE.read_text("utf-8"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    source = root / "raw"
    source.mkdir(parents=True)
    (source / "one.txt").write_text("one")
    (source / "two.txt").write_text("two")
    (root / "artifacts.toml").write_text(
        '[artlock]\nversion = 1\nname = "numbers"\n\n[artifacts.numbers]\nuri = "raw/"\n'
    )
    monkeypatch.chdir(root)
    assert run(["resolve", "--quiet"]) == 0
    return root


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == PAGE.read_text("utf-8").count("```python") > 3


@pytest.mark.usefixtures("project")
def test_the_examples_print_what_the_page_says() -> None:
    for code, expected in EXAMPLES:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(PAGE), "exec"), {})  # noqa: S102 - the page's own text
        assert printed.getvalue() == expected, code


def test_every_public_name_is_there_and_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    for name in artlock.__all__:
        assert getattr(artlock, name) is not None
    for name in ("open", "path", "Lock", "Step", "ArtlockError"):
        assert name in page
    assert set(artlock.__all__) <= set(dir(artlock))


def test_another_name_is_none() -> None:
    with pytest.raises(AttributeError, match="no attribute `nothing`"):
        _ = artlock.nothing
