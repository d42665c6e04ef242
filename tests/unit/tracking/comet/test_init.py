"""comet: the tracker's scheme."""

import sys
from pathlib import Path

import pytest

from artlock.errors import ConfigError
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.comet import open_tracker

URL = Uri.parse("comet://team/vision")


def context(folder: Path) -> TrackerContext:
    return TrackerContext(environ={}, base=folder, scratch=folder)


def test_opening_starts_nothing(tmp_path: Path) -> None:
    tracker = open_tracker(URL, context(tmp_path))
    assert isinstance(tracker, Tracker)
    tracker.close()
    assert not list(tmp_path.iterdir())


def test_without_the_client_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ConfigError) as caught:
        open_tracker(URL, context(tmp_path))
    assert caught.value.hint == "install `artlock[comet]`"


def test_an_address_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names no project"):
        open_tracker(Uri.parse("comet://team"), context(tmp_path))
