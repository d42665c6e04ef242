import errno
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from artlock.errors import TrackerUnavailableError, TrackingError
from artlock.tracking.mlflow.database import give_name, make_database, refuse_others

URL = "mlflow+sqlite:///mlflow.db/x"


def database(file: Path, *tables: str) -> Path:
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in tables:
            connection.execute(f"CREATE TABLE {table} (id INTEGER)")
    return file


def test_a_database_is_one_of_mlflow_with_its_files_beside(mlflow_database: Path) -> None:
    with closing(sqlite3.connect(mlflow_database)) as connection:
        ((place,),) = connection.execute("SELECT artifact_location FROM experiments")
    folder = mlflow_database.parent
    assert place == f"{(folder / 'mlflow-artifacts').as_uri()}/0"
    assert list(folder.iterdir()) == [mlflow_database]
    assert list(folder.parent.iterdir()) == [folder]  # and none of a name half understood
    refuse_others(mlflow_database, URL)


def test_leftovers_are_swept_when_they_are_old(tmp_path: Path) -> None:
    old, young = (tmp_path / f".mlflow.db.{uuid4().hex}" for _ in range(2))
    others = [tmp_path / name for name in (f".other.db.{uuid4().hex}", ".mlflow.db.backup")]
    journal = old.with_name(f"{old.name}-journal")
    long_ago = time.time() - 4000
    for file in (old, journal, young, *others):
        file.touch()
        if file != young:
            os.utime(file, (long_ago, long_ago))
    (tmp_path / "mlflow.db").write_bytes(b"of somebody who was faster")
    make_database(tmp_path / "mlflow.db", URL)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"mlflow.db", young.name, *(file.name for file in others)}
    assert (tmp_path / "mlflow.db").read_bytes() == b"of somebody who was faster"


@pytest.mark.parametrize("has_links", [True, False])
def test_the_first_of_several_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")  # as FAT and some shares say

    if not has_links:
        monkeypatch.setattr(os, "link", no_links)
    for text in ("first", "second"):
        (tmp_path / "aside").write_text(text)
        give_name(tmp_path / "aside", tmp_path / "mlflow.db")
        (tmp_path / "aside").unlink(missing_ok=True)
    assert (tmp_path / "mlflow.db").read_text() == "first"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrackingError, match="cannot be made"):
        make_database(tmp_path / "file" / "mlflow.db", URL)


@pytest.mark.parametrize(
    "tables", [(), ("alembic_version", "snapshots", "runs"), ("experiments", "runs")]
)
def test_a_database_of_somebody_else_is_refused_and_not_changed(
    tmp_path: Path, tables: tuple[str, ...]
) -> None:
    file = database(tmp_path / "it's #1 %41.db", "one_at_least", *tables)
    before = file.read_bytes()
    with pytest.raises(TrackingError, match="not one of MLflow") as caught:
        refuse_others(file, URL)
    assert type(caught.value) is TrackingError
    assert file.read_bytes() == before


def test_a_database_that_is_held_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artlock.tracking.mlflow.database._WAIT_S", 0.1)
    file = database(tmp_path / "held.db", "experiments", "runs", "alembic_version")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackerUnavailableError):
            refuse_others(file, URL)
