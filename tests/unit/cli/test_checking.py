import os
from pathlib import Path

import pytest

from artlock.cli.checking import GithubTeller
from artlock.cli.output import Output
from artlock.ops.check import Fault, Finding
from artlock.ops.project import Project
from artlock.ops.runtime import Runtime
from artlock.ops.spots import Spot


def test_of_very_many_findings_the_first_are_shown_and_the_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "artifacts.toml").write_text("[artlock]\nversion = 1\n")
    (tmp_path / "artifacts.lock").write_text("# artlock\n")
    project = Project.open(tmp_path, Runtime.load(os.environ, cache_dir=tmp_path / "cache"))
    teller = GithubTeller(Output(), project)
    looked_up = []
    of = teller._spots.of

    def counted(artifact: str, path: str = "") -> Spot:
        looked_up.append(path)
        return of(artifact, path)

    monkeypatch.setattr(teller._spots, "of", counted)
    gone = [Finding(Fault.GONE, "data", f"no {n}", "look", f"{n}") for n in range(1000)]
    teller.findings([*gone, Finding(Fault.ALTERED, "data", "other", "look", "x")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 50 + 1 + 1
    assert sum("artlock%3A altered" in line for line in lines) == 1
    assert lines[-1].endswith("artlock%3A gone::950 more are `gone`")
    # Each look is one through the whole lockfile.
    assert len(looked_up) == len(lines)
