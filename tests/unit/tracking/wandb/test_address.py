import sys
from pathlib import Path

import pytest

from artlock.errors import ConfigError
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.wandb import open_tracker, problem_with


def context(tmp_path: Path, **environ: str) -> TrackerContext:
    return TrackerContext(environ=environ, base=tmp_path, scratch=tmp_path)


@pytest.mark.parametrize("url", ["wandb://team/vision", "wandb://a-b_c/my.project/"])
def test_an_entity_and_a_project_are_an_address(url: str, tmp_path: Path) -> None:
    uri = Uri.parse(url)
    assert problem_with(uri) is None
    assert isinstance(open_tracker(uri, context(tmp_path)), Tracker)


@pytest.mark.parametrize(
    "url",
    [
        "wandb://team",
        "wandb:team/vision",
        "wandb:///vision",
        "wandb://team/a/b",
        "wandb://team/a:v1",
        "wandb://team/a%20b",
        f"wandb://team/{'x' * 129}",
        "wandb://team/wandb-registry-model",
        "comet://team/vision",
    ],
)
def test_anything_else_is_none(url: str, tmp_path: Path) -> None:
    uri = Uri.parse(url)
    assert problem_with(uri)
    with pytest.raises(ConfigError):
        open_tracker(uri, context(tmp_path))


def test_a_missing_client_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"artlock\[wandb\]"):
        open_tracker(Uri.parse("wandb://team/vision"), context(tmp_path))


@pytest.mark.parametrize(
    "environ", [{"WANDB_MODE": "disabled"}, {"WANDB_DISABLED": "true"}]
)
def test_who_has_switched_wandb_off_is_told(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="switched off"):
        open_tracker(Uri.parse("wandb://team/vision"), context(tmp_path, **environ))
