"""Comet through its real SDK, on a stand-in for its backend: the contract."""

from typing import ClassVar

import pytest

from tests.contract.comet_place import CometPlace
from tests.contract.tracker_contract import TrackerContract


class TestComet(TrackerContract):
    knows_consumers: ClassVar[bool] = False  # its client has no question for them

    @pytest.fixture
    def place(self, comet: CometPlace) -> CometPlace:
        return comet
