"""comet.address: which URLs and names mean something at Comet."""

import pytest

from artlock.model.registration import Run
from artlock.model.uri import Uri
from artlock.tracking.comet import problem_with
from artlock.tracking.comet.address import (
    Address,
    address_of,
    experiment_of,
    problem_with_comet_name,
)
from artlock.tracking.comet.plan import Unversioned


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("comet://team/vision", Address(workspace="team", project="vision")),
        ("comet://team/vision/", Address(workspace="team", project="vision")),
        (
            "comet://Team.x_1-y/My%20Eyes",
            Address(workspace="Team.x_1-y", project="My Eyes"),
        ),
        (
            "comet://team/vision?unversioned=head",
            Address(workspace="team", project="vision", unversioned=Unversioned.HEAD),
        ),
        (
            "comet://team/vision?unversioned=link",
            Address(workspace="team", project="vision"),
        ),
    ],
)
def test_a_url_names_workspace_and_project(url: str, address: Address) -> None:
    assert address_of(Uri.parse(url)) == address
    assert problem_with(Uri.parse(url)) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("comet://", "write `comet://workspace/project`"),
        ("comet://team", "names no project"),
        ("comet://team/", "names no project"),
        ("comet://team/a/b", "names no project"),
        ("comet://team/a%0Ab", "names no project"),
        ("comet://team/a#b", "names no project"),
        ("comet://te:am/vision", "write `comet://workspace/project`"),
        ("wandb://team/vision", "write `comet://workspace/project`"),
        ("comet://team/vision?unversioned=all", "the only options are"),
        ("comet://team/vision?", "the only options are"),
    ],
)
def test_other_urls_are_refused_with_the_reason(url: str, problem: str) -> None:
    found = problem_with(Uri.parse(url))
    assert found is not None
    assert problem in found


def test_a_name_is_as_long_as_comet_documents() -> None:
    assert problem_with_comet_name("x" * 100) is None
    assert problem_with_comet_name("Data.set_1-2") is None
    for name in ("x" * 101, "a/b", "a:b", "", "caf\u00e9", "a b"):
        assert problem_with_comet_name(name) is not None


def test_an_experiment_is_known_by_its_key() -> None:
    key = "0123456789abcdef" * 2
    assert experiment_of(Run(id=key)) == key
    assert experiment_of(Run(id=key, service="comet")) == key
    assert experiment_of(Run(id=key, service="mlflow")) is None
    for other in ("eval-7", key[:31], key + key, f"{key[:31]}-"):
        assert experiment_of(Run(id=other, service="comet")) is None
