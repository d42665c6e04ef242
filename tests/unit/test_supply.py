"""What artlock stands on is pinned, byte for byte (hazard 5.28)."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"([a-z0-9._-]+)==\S+")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


PEERS = sorted(
    (
        *ROOT.glob("benchmarks/peers/*.in"),
        *(ROOT / "tests" / f"{n}.in" for n in ("mlflow", "tools")),
    )
)


def pinned(path: Path = ROOT / "constraints.txt") -> dict[str, str]:
    """Return what a file of pins says of each distribution."""
    text = path.read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    logical = "\n".join(lines).replace("\\\n", " ").splitlines()
    found = {}
    for line in filter(None, map(str.strip, logical)):
        pin = PIN.match(line)
        assert pin is not None, f"not one version: {line}"
        found[pin[1]] = line
    return found


def test_5_28_every_distribution_has_one_version_and_hashes() -> None:
    pins = pinned()
    assert len(pins) > 50
    assert [name for name, line in pins.items() if not HASH.search(line)] == []


@pytest.mark.parametrize("asked", PEERS, ids=lambda path: path.stem)
def test_5_28_the_environments_of_peers_and_tools_too(asked: Path) -> None:
    pins = pinned(asked.with_suffix(".txt"))
    names = {re.split(r"\W", name)[0] for name in asked.read_text("utf-8").split()}
    assert names - {re.split(r"\W", name)[0] for name in pins} == set()
    assert [name for name, line in pins.items() if not HASH.search(line)] == []


def test_5_28_nothing_is_asked_for_that_is_not_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"].values()
    asked = [
        *project["project"]["dependencies"],
        *(one for group in groups for one in group),
    ]
    names = {
        re.split(r"[^A-Za-z0-9._-]", one)[0].lower().replace("_", "-")
        for one in asked
        if isinstance(one, str)
    }
    assert "obstore" in names
    assert names - pinned().keys() == set()


def test_5_28_what_is_installed_is_held_to_its_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "--require-hashes" in makefile
    installs = re.findall(r"pip install .*|\$\(PIP\) install .*", makefile)
    assert installs
    for line in installs:
        held = "$(PINNED)" in line or "--no-deps" in line or "--constraint" in line
        assert held, line
