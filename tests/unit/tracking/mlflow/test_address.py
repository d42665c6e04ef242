from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.model.uri import Uri
from artlock.tracking.base import TrackerScheme
from artlock.tracking.mlflow import open_tracker, problem_with
from artlock.tracking.mlflow.address import MAX_EXPERIMENT, Address

NAMES = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]),
    min_size=1,
    max_size=40,
).filter(str.strip)


@pytest.mark.parametrize(
    ("url", "server", "file", "experiment"),
    [
        ("mlflow+http://127.0.0.1:5000/a", "http://127.0.0.1:5000", "", "a"),
        ("mlflow+http://[::1]:5000/a", "http://[::1]:5000", "", "a"),
        ("mlflow+https://h/x/y/team%2Fdata", "https://h/x/y", "", "team/data"),
        ("mlflow+sqlite:///mlflow.db/a%20b", "", "mlflow.db", "a b"),
        ("mlflow+sqlite:////srv/%41/my#.db/a%41", "", "/srv/%41/my#.db", "aA"),
        ("mlflow+sqlite:///100%/%2F.db/a", "", "100%/%2F.db", "a"),
    ],
)
def test_a_url_names_a_store_and_an_experiment(
    url: str, server: str, file: str, experiment: str
) -> None:
    found = Address.parse(Uri.parse(url))
    assert (found.server, found.file, found.experiment) == (server, file, experiment)
    assert found.url == url


@pytest.mark.parametrize(
    "url",
    [
        "mlflow+http://h",
        "mlflow+http://h/",
        "mlflow+http://h/prefix/",
        "mlflow+http://h/%20",
        "mlflow+http:h/a",
        "mlflow+http:///a",
        "mlflow+http://h:port/a",
        "mlflow+http://h:99999/a",
        "mlflow+http://h/a?b=c",
        "mlflow+http://h/a#b",
        "mlflow+http://h/../a",
        "mlflow+http://h//a",
        "mlflow+http://h/a%",
        "mlflow+http://h/a%ff",
        "mlflow+http://h/a%0a",
        "mlflow+http://h/" + "x" * (MAX_EXPERIMENT + 1),
        "mlflow+sqlite:///a",
        "mlflow+sqlite://host/file.db/a",
        "mlflow+sqlite:///folder//a",
        "mlflow+sqlite:///what?.db/a",
        "mlflow+sqlite:///m.db/a#b",
        "comet://a/b",
    ],
)
def test_what_is_no_address_is_told(url: str) -> None:
    assert problem_with(Uri.parse(url)) is not None


def test_a_login_in_a_url_is_refused_before_it_is_an_address() -> None:
    with pytest.raises(ValueError, match="user info"):
        Uri.parse("mlflow+https://ada:secret@host/a")


@given(NAMES, NAMES)
def test_any_name_can_be_written(file: str, experiment: str) -> None:
    text = f"mlflow+sqlite:///{file}/{quote(experiment, safe='')}"
    if "?" in file or file.endswith("/"):
        assert problem_with(Uri.parse(text)) is not None
        return
    found = Address.parse(Uri.parse(text))
    assert (found.file, found.experiment) == (file, experiment)


def test_a_path_is_relative_to_the_project() -> None:
    relative = Address.parse(Uri.parse("mlflow+sqlite:///a/m.db/x"))
    absolute = Address.parse(Uri.parse("mlflow+sqlite:////a/m.db/x"))
    assert relative.path(Path("/project")) == Path("/project/a/m.db")
    assert absolute.path(Path("/project")) == Path("/a/m.db")


def test_the_module_is_a_scheme() -> None:
    class Module:
        problem_with = staticmethod(problem_with)
        open_tracker = staticmethod(open_tracker)

    scheme: TrackerScheme = Module()
    assert scheme.problem_with(Uri.parse("mlflow+http://h/a")) is None
