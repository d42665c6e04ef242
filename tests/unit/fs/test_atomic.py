import os
import stat
from pathlib import Path

import pytest

from artlock.errors import WorkspaceError
from artlock.fs import atomic
from artlock.fs.atomic import read_all, replace_file, write_all


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_gets_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert replace_file(tmp_path / "f", b"text")
    finally:
        os.umask(before)
    assert (tmp_path / "f").read_bytes() == b"text"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640
    assert names(tmp_path) == ["f"]


def test_3_4_an_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o604)
    assert replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_3_8_what_a_killed_process_left_is_removed_when_the_file_is_written_again(
    tmp_path: Path,
) -> None:
    # The greatest number of a process that there can be is 4194304.
    left = tmp_path / ".artlock-00000000-7fffffff-5d0e4c-2a"
    persons = tmp_path / ".artlock-notes"
    for path in (left, persons):
        path.touch()
        os.utime(path, (0, 0))
    assert replace_file(tmp_path / "f", b"text")
    assert names(tmp_path) == [".artlock-notes", "f"]


def test_3_28_equal_bytes_are_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"same")
    os.utime(path, ns=(5, 5))
    inode = path.stat().st_ino
    assert not replace_file(path, b"same")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (5, inode)


def test_3_28_other_bytes_of_the_same_length_are_written(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"same")
    assert replace_file(tmp_path / "f", b"emas")
    assert (tmp_path / "f").read_bytes() == b"emas"


@pytest.mark.parametrize("target", ["elsewhere", "absent"])
def test_3_4_a_symbolic_link_is_refused_and_kept(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "f").symlink_to(target)
    with pytest.raises(WorkspaceError, match="symbolic link"):
        replace_file(tmp_path / "f", b"new")
    assert (tmp_path / "f").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
    assert names(tmp_path) == ["elsewhere", "f"]


def test_a_folder_in_the_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(WorkspaceError, match="not a regular file"):
        replace_file(tmp_path / "f", b"new")
    assert names(tmp_path) == ["f"]


def test_3_4_what_the_check_raises_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def check(data: bytes) -> None:
        assert data == b"new"
        raise ValueError(data)

    with pytest.raises(ValueError, match="new"):
        replace_file(path, b"new", check=check)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_what_passes_the_check_is_written(tmp_path: Path) -> None:
    assert replace_file(tmp_path / "f", b"1", check=int)
    assert (tmp_path / "f").read_bytes() == b"1"


def test_3_22_what_is_read_back_differently_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "read_all", lambda _fd: b"other")
    with pytest.raises(OSError, match="not what was written"):
        replace_file(tmp_path / "f", b"text")
    assert names(tmp_path) == []


def test_2_9_a_name_of_255_bytes_has_room_for_its_temporary(tmp_path: Path) -> None:
    assert replace_file(tmp_path / ("x" * 255), b"text")


def test_a_missing_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "f", b"text")


def test_writing_goes_on_after_a_short_write(tmp_path: Path) -> None:
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, True)
    data = bytes(range(256)) * 1024  # more than a pipe holds
    child = os.fork()
    if not child:  # pragma: no cover - the child
        os.close(read_fd)
        write_all(write_fd, memoryview(data))
        os._exit(0)
    os.close(write_fd)
    assert read_all(read_fd) == data
    os.close(read_fd)
    os.waitpid(child, 0)
    with open(tmp_path / "f", "wb") as file:
        write_all(file.fileno(), memoryview(data).cast("I"))
    assert (tmp_path / "f").read_bytes() == data
