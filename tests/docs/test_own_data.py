import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tests" / "data" / "evaluation"


def _artlock(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "artlock", "-C", str(folder), *arguments],
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what a clone of this repository has: both files and the source."""
    folder = tmp_path / "clone"
    shutil.copytree(SOURCE, folder / "tests" / "data" / "evaluation")
    for name in ("artifacts.toml", "artifacts.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_the_data_of_this_repository_syncs_to_what_is_locked(checkout: Path) -> None:
    done = _artlock(checkout, "sync")
    assert done.returncode == 0, done.stderr
    synced = checkout / "data" / "evaluation"
    files = {p.relative_to(synced) for p in synced.rglob("*") if p.is_file()}
    wanted = {p.relative_to(SOURCE) for p in SOURCE.rglob("*") if p.is_file()}
    assert files == wanted - {Path("README.md")}
    for path in files:
        assert (synced / path).read_bytes() == (SOURCE / path).read_bytes()
    assert (synced / "prompts" / "_SUCCESS").stat().st_size == 0


def test_the_lockfile_of_this_repository_is_current_and_canonical(checkout: Path) -> None:
    assert _artlock(checkout, "check").returncode == 0
    assert _artlock(checkout, "fmt", "--check").returncode == 0
    assert _artlock(checkout, "check", "--remote").returncode == 0


def test_a_changed_source_is_refused(checkout: Path) -> None:
    source = checkout / "tests" / "data" / "evaluation" / "questions.jsonl"
    source.write_bytes(source.read_bytes().replace(b"Rhine", b"Seine"))
    done = _artlock(checkout, "sync")
    assert done.returncode == 4
    assert not (checkout / "data").exists()
