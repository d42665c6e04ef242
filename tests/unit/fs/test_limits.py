import resource
from collections.abc import Iterator

import pytest

from artlock.fs.limits import allow_open_files, may_stay_open


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def limit(soft: int) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return hard


def test_4_18_the_limit_of_open_files_is_raised_as_far_as_it_may_be() -> None:
    hard = limit(200)
    allow_open_files(300)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)
    allow_open_files(250)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)


def test_4_18_only_a_part_stays_open_to_save_time() -> None:
    limit(200)
    assert may_stay_open(128) == 50
    assert may_stay_open(10) == 10
