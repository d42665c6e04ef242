"""A proof that is remembered never changes an answer."""

import os
from pathlib import Path

import pytest

from artlock.errors import ArtlockError
from artlock.formats.lockfile_parts import LockText
from artlock.formats.lockfile_survey import Share, Survey, survey_text
from artlock.ops import proofs, surveys
from artlock.ops.check import check
from tests.unit.ops.workbench import Workbench


@pytest.fixture(autouse=True)
def _all_texts_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "LONG", 1)
    monkeypatch.setattr(proofs, "_WORTH_A_FORK", 1)
    monkeypatch.setattr("artlock.formats.lockfile_pieces.PIECE", 100)


@pytest.fixture
def locked(bench: Workbench) -> Workbench:
    bench.put(a="1", b="2", c="3", d="4")
    bench.declare_files()
    bench.resolve()
    return bench


def answer(bench: Workbench) -> str:
    try:
        return str(check(bench.project()))
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"


def judged(bench: Workbench, patch: pytest.MonkeyPatch) -> bool:
    """Tell whether a check judges the text, and does not find it in its memory."""
    texts: list[LockText] = []

    def watched(text: LockText, *, name: str, share: Share) -> Survey:
        texts.append(text)
        return survey_text(text, name=name, share=share)

    with patch.context() as inner:
        inner.setattr(proofs, "survey_text", watched)
        check(bench.project())
    return bool(texts)


def records() -> list[Path]:
    return sorted(proofs.proofs_folder(os.environ).iterdir())


def edit(bench: Workbench, old: str, new: str) -> None:
    text = bench.lockfile.read_text("utf-8")
    assert old in text
    bench.lockfile.write_text(text.replace(old, new, 1), "utf-8")


def test_a_text_is_judged_once(locked: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(locked, monkeypatch)
    assert not judged(locked, monkeypatch)
    edit(locked, '["a",1,', '["a",7,')
    assert judged(locked, monkeypatch)
    edit(locked, '["a",7,', '["a",1,')
    assert not judged(locked, monkeypatch)


def test_short_texts_are_always_judged(
    locked: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    check(locked.project())
    assert not proofs.proofs_folder(os.environ).exists()


@pytest.mark.parametrize(
    ("manifest", "old", "new"),
    [
        ("", "", ""),
        ('checksum = "blake3"', "", ""),
        ("[artifacts.more]\nuri = 's3://bucket/'", "", ""),
        ('[policy]\nallow = ["s3://other/"]', "", ""),
        ("[policy]\nrequire-version-ids = true", "", ""),
        ('[policy]\nrequire = "strong"', '["b",1,"', '["aa",1,"etag:x",""],\n["b",1,"'),
        ("", '["b",1,"', '["b", 1,"'),
        ("", '["b",1,"', '["../b",1,"'),
        ("", '["b",1,"', '["A",1,"'),
        ("", '["b",1,"', '["a/b",1,"'),
        ("", '["b",1,"', '["b",-1,"'),
        ("", '["b",1,"blake3:', '["b",1,"flake3:'),
        ("", "]\n", "]"),
        ("", "uri = ", "uri = 1 # "),
    ],
)
def test_no_answer_depends_on_the_memory(
    locked: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    manifest: str,
    old: str,
    new: str,
) -> None:
    answer(locked)  # so that there is a memory, of another text
    locked.declare_files(f"\n{manifest}")
    edit(locked, old, new) if old else None
    first, second = answer(locked), answer(locked)
    with monkeypatch.context() as patch:
        patch.setattr(surveys, "LONG", 1 << 30)
        assert first == second == answer(locked)


def test_a_damaged_proof_is_none(
    locked: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answer(locked)
    (record,) = records()
    good = record.read_bytes()
    for bad in (
        b"",
        good[:20],
        good[:-1],
        good + b"x",
        *(
            good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
            for at in range(0, len(good), 37)
        ),
    ):
        record.write_bytes(bad)
        assert judged(locked, monkeypatch)
        assert record.read_bytes() == good
        assert answer(locked) == expected


def test_5_1_a_proof_is_of_one_text_and_of_one_user(
    locked: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(locked.project())
    (record,) = records()
    edit(locked, '["a",1,', '["../a",1,')
    forged = locked.project().lock_files.key()
    assert forged is not None
    record.rename(record.with_name(forged.hex()))
    assert answer(locked).startswith("UnsafePathError")
    edit(locked, '["../a",1,', '["a",1,')
    assert judged(locked, monkeypatch)
    key = record.parent.parent / "index.key"
    key.write_bytes(bytes(32))
    assert judged(locked, monkeypatch)


@pytest.mark.parametrize(
    ("name", "value"), [("RULES", 99), ("__version__", "99"), ("_MAGIC", b"other 2\n")]
)
def test_other_rules_prove_anew(
    locked: Workbench, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    check(locked.project())
    monkeypatch.setattr(proofs, name, value)
    assert judged(locked, monkeypatch)
    assert not judged(locked, monkeypatch)


def test_few_proofs_are_kept(locked: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "KEPT", 2)
    text = locked.lockfile.read_text("utf-8")
    for number, size in enumerate((5, 6, 7)):
        locked.lockfile.write_text(text.replace('["a",1,', f'["a",{size},'), "utf-8")
        check(locked.project())
        for record in records():
            os.utime(record, ns=(number, number))
    assert len(records()) == 2
    assert not judged(locked, monkeypatch)


def test_a_long_text_without_its_rows_is_not_remembered(
    locked: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "_LARGEST", 100)
    assert judged(locked, monkeypatch)
    assert judged(locked, monkeypatch)


@pytest.mark.parametrize("has_memory", [True, False])
def test_5_29_a_check_writes_nothing_into_the_project(
    locked: Workbench, *, has_memory: bool
) -> None:
    if not has_memory:
        folder = proofs.proofs_folder(os.environ)
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("a file is in the way", "utf-8")
    before = _written(locked.root)
    os.utime(locked.root, ns=(1, 1))
    assert answer(locked) == answer(locked)
    assert _written(locked.root) == before
    assert locked.root.stat().st_mtime_ns == 1


def _written(root: Path) -> dict[Path, tuple[int, ...]]:
    """Return what a write would change; to read may change the time of reading."""
    files = {path: path.lstat() for path in root.rglob("*")}
    return {
        path: (s.st_mode, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
        for path, s in files.items()
    }


def test_a_proof_is_for_its_user_alone(locked: Workbench) -> None:
    check(locked.project())
    (record,) = records()
    assert record.stat().st_mode & 0o777 == 0o600
    assert record.parent.stat().st_mode & 0o777 == 0o700
