"""The suite of benchmarks runs; what it measures here means nothing."""

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import main

GROUPS = ("startup", "parts", "some", "growth")


@pytest.mark.slow
def test_the_suite_measures_verifies_and_counts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    only = [f"--only={group}" for group in GROUPS]
    code = main(["--form", "smoke", "--write", str(tmp_path), *only])
    printed = capsys.readouterr().out
    assert code == 0, printed
    lines = [line.split() for line in printed.splitlines()]
    (ours,) = (line for line in lines if line[:2] == ["artlock", "sync"] and "GET" in line)
    assert ours[-3:] == ["exact", "8", "GET"]
    (peer,) = (line for line in lines if line[:2] == ["s5cmd", "cp"])
    assert "1 wrong" in " ".join(peer)
    assert "failed" not in printed
    page = (tmp_path / "index.md").read_text("utf-8")
    assert "| cold sync | 4 |" in page
    assert re.findall(r"[\s`'](?:/[\w.-]+){2,}", page) == []  # paths of this machine
    assert "</svg>" in (tmp_path / "growth.svg").read_text("utf-8")
