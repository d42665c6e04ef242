import re
from pathlib import Path

import pytest

from artlock.cli.commands import SUMMARIES
from artlock.stores.http.store import HttpStore
from artlock.stores.retry import Retrying
from artlock.stores.s3 import S3Store
from tests.defaults import set_default
from tests.scripts.places import Buckets
from tests.scripts.runner import read_case, run_case

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


@pytest.fixture(scope="module")
def buckets(request: pytest.FixtureRequest) -> Buckets:
    return Buckets(request)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the waiting between repetitions; how often is as ever."""
    set_default(monkeypatch, Retrying, "sleep", lambda _seconds: None)
    set_default(monkeypatch, S3Store, "attempts", 2)
    set_default(monkeypatch, HttpStore, "attempts", 2)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("_impatient")
def test_transcript(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buckets: Buckets
) -> None:
    run_case(read_case(path), tmp_path, monkeypatch, buckets)


def test_the_first_word_of_each_case_is_a_command() -> None:
    for path in CASES:
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", path.stem), path.name
        assert path.stem.partition("-")[0] in SUMMARIES, path.name


def test_every_command_has_a_case() -> None:
    assert {path.stem.partition("-")[0] for path in CASES} == set(SUMMARIES)
