from pathlib import Path

import pytest

from demo.proofs import every_object_locked, same_bytes
from demo.stage import Stage, SurpriseError


@pytest.fixture
def stage() -> Stage:
    return Stage({"PATH": "/usr/bin:/bin"}, {})


def test_another_exit_code_is_a_surprise(stage: Stage, tmp_path: Path) -> None:
    stage.type("false", at=tmp_path, exits=1)
    with pytest.raises(SurpriseError, match="exited with 1, not 0"):
        stage.type("false", at=tmp_path)
    with pytest.raises(SurpriseError, match="exited with 0, not 4"):
        stage.type("true", at=tmp_path, exits=4)


def test_missing_or_forbidden_output_is_a_surprise(stage: Stage, tmp_path: Path) -> None:
    stage.type("echo yes", at=tmp_path, shows=["yes"], hides=["no"])
    with pytest.raises(SurpriseError, match="did not show `no`"):
        stage.type("echo yes", at=tmp_path, shows=["no"])
    with pytest.raises(SurpriseError, match="showed `yes`"):
        stage.type("echo yes", at=tmp_path, hides=["yes"])


def test_one_wrong_byte_or_file_is_a_surprise(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(b"abc")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"abc")
    same_bytes(folder, {"a": original})
    (folder / "a").write_bytes(b"abd")
    with pytest.raises(SurpriseError, match="other bytes"):
        same_bytes(folder, {"a": original})
    (folder / "a").write_bytes(b"abc")
    (folder / "b").write_bytes(b"")
    with pytest.raises(SurpriseError, match="holds"):
        same_bytes(folder, {"a": original})


@pytest.mark.parametrize(
    "row",
    [
        ("a", 4, "md5:900150983cd24fb0d6963f7d28e17f72", "v1"),
        ("a", 3, "md5:900150983cd24fb0d6963f7d28e17f73", "v1"),
        ("a", 3, "", "v1"),
        ("a", 3, "md5:900150983cd24fb0d6963f7d28e17f72", "v2"),
        ("b", 3, "md5:900150983cd24fb0d6963f7d28e17f72", "v1"),
    ],
    ids=["size", "md5", "no checksum", "version", "path"],
)
def test_a_row_that_is_not_the_original_is_a_surprise(
    row: tuple[str, int, str, str], tmp_path: Path
) -> None:
    original = tmp_path / "original"
    original.write_bytes(b"abc")
    right = ("a", 3, "md5:900150983cd24fb0d6963f7d28e17f72", "v1")
    every_object_locked([right], {"a": original}, {"a": "v1"})
    with pytest.raises(SurpriseError):
        every_object_locked([row], {"a": original}, {"a": "v1"})
