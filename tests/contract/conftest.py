"""What the contract files of one service share."""

from collections.abc import Iterator

import pytest

from testbed.comet import CometServer
from tests.contract.comet_place import CometPlace


@pytest.fixture(scope="session")
def _comet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CometPlace]:
    scratch = tmp_path_factory.mktemp("comet")
    with CometServer() as server:
        place = CometPlace(server, scratch)
        try:
            yield place
        finally:
            place.close()
    left = list(scratch.iterdir())
    assert not left, "a client left something behind"


@pytest.fixture
def comet(_comet: CometPlace) -> CometPlace:
    """Return a backend without artifacts."""
    _comet.start_anew()
    return _comet
