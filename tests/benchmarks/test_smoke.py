"""The suite of benchmarks runs; what it measures here means nothing."""

import pytest

from benchmarks.__main__ import main


@pytest.mark.slow
def test_the_suite_measures_verifies_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    groups = ("startup", "lock", "some", "listing", "resting")
    code = main(["--form", "smoke", *(f"--only={group}" for group in groups)])
    printed = capsys.readouterr().out
    assert code == 0, printed
    lines = [line.split() for line in printed.splitlines()]
    (ours,) = (line for line in lines if line[:2] == ["artlock", "sync"] and "GET" in line)
    assert ours[-3:] == ["exact", "8", "GET"]
    (peer,) = (line for line in lines if line[:2] == ["s5cmd", "cp"])
    assert "1 wrong" in " ".join(peer)
    assert "failed" not in printed
