"""What must be seen by those who judge: each of these once slipped through."""

from pathlib import Path

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.formats.lockfile import format_lockfile
from artlock.model.lock import Lockfile
from tests.invariants import lasting_files, lost_bytes, unlocked_files
from torture.checkout import Checkout
from torture.locks import judge, poisoned

MANIFEST = '[artlock]\nversion = 1\n[artifacts.a]\nuri = "doi:10.5281/zenodo.1"\n'
EMPTY = format_lockfile(Lockfile())


def test_what_a_sweep_removes_is_no_place_for_a_persons_bytes(tmp_path: Path) -> None:
    layout = CacheLayout(tmp_path / "cache")
    layout.prepare()
    digest = blake3(b"mine").hexdigest()
    for place in (
        tmp_path / "project/.artlock/tmp/1",
        tmp_path / "project/data/.artlock-1",
        layout.temporary / "1",
        layout.partial / "k" / "1.part",
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"mine")
    files = lasting_files(tmp_path / "project", layout)
    assert lost_bytes([digest], files) == [digest]
    for place in (tmp_path / "project/.artlock/trash/t/f", layout.quarantine / "x"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"mine")
        files = lasting_files(tmp_path / "project", layout)
        assert lost_bytes([digest], files) == []
        place.unlink()


def test_an_artifact_that_is_not_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / "artifacts.toml").write_text(MANIFEST)
    (tmp_path / "artifacts.lock").write_bytes(EMPTY)
    assert unlocked_files(tmp_path) == ["a"]


def test_a_file_without_bytes_is_as_wrong_as_any(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, MANIFEST, EMPTY, {})
    checkout.begin()
    assert checkout.sync(jobs=1).wrong == 0
    (checkout.root / "data").mkdir()
    (checkout.root / "data/empty").touch()
    assert checkout.sync(jobs=1).wrong == 1


def test_what_was_written_outside_of_a_project_is_seen() -> None:
    with poisoned() as project:
        ended = project.sync()
        lockfile = format_lockfile(project.lock)
        assert judge(project, lockfile, ended, project.files()) == 0
        outside = project.root.parent / "outside"
        for place in (outside, project.home / ".ssh", project.root / "data/.artlock"):
            place.mkdir()
            (place / "written").touch()
            try:
                judge(project, lockfile, ended, project.files())
            except AssertionError:
                (place / "written").unlink()
            else:
                raise ValueError(place)
            place.rmdir()
        assert judge(project, lockfile, ended, project.files()) == 0
