from pathlib import Path

import pytest

from artlock.errors import ConfigError
from artlock.model.uri import Uri
from artlock.tracking.registry import open_tracker, problem_with
from artlock.tracking.registry.places import place_of
from tests.unit.tracking.registry.conftest import context_at

BASE = Path("/project")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data.db", "/project/data.db"),
        ("sqlite:///a/b c#1.db", "/project/a/b c#1.db"),
        ("sqlite:////home/ada/data.db", "/home/ada/data.db"),
    ],
)
def test_a_file_is_relative_to_the_project_or_absolute(url: str, path: str) -> None:
    assert problem_with(Uri.parse(url)) is None
    assert place_of(Uri.parse(url), BASE).path == Path(path)


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgresql://db.example/art", {"dbname": "art", "host": "db.example"}),
        (
            "postgresql://db.example:5433/art?sslmode=verify-full",
            {
                "dbname": "art",
                "host": "db.example",
                "port": "5433",
                "sslmode": "verify-full",
            },
        ),
        (
            "postgresql://[::1]:5433,b:5434/my%20data",
            {"dbname": "my data", "host": "::1,b", "port": "5433,5434"},
        ),
        ("postgresql://[::1]/art", {"dbname": "art", "host": "::1"}),
        ("postgresql:///art?host=/run/pg", {"dbname": "art", "host": "/run/pg"}),
        ("postgresql:///?service=team", {"service": "team"}),
        (
            "postgresql:///art?host=a,b&port=5432,65535",
            {"dbname": "art", "host": "a,b", "port": "5432,65535"},
        ),
    ],
)
def test_a_server_is_told_to_libpq(url: str, parameters: dict[str, str]) -> None:
    assert problem_with(Uri.parse(url)) is None
    assert dict(place_of(Uri.parse(url), BASE).parameters) == parameters


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://data.db", "three slashes"),
        ("sqlite:data.db", "three slashes"),
        ("sqlite:///", "names no file"),
        ("sqlite:///folder/", "names no file"),
        ("sqlite:///:memory:", "not the path"),
        ("sqlite:///~/data.db", "not the path"),
        ("sqlite:///data.db?mode=ro", "not the path"),
        ("postgresql://db.example", "names no database"),
        ("postgresql://db.example/?sslmode=require", "names no database"),
        ("postgresql://db.example/art?passwd2=x", "passwd2"),
        ("postgresql://db.example/art?sslmode", "is not written as"),
        ("postgresql://db.example:port/art", "is not written as"),
        ("postgresql://db.example/art/more", "behind the name"),
        ("postgresql:art", "is no registry"),
        ("postgresql+psycopg://db.example/art", "is no registry"),
        ("mysql://db.example/art", "is no registry"),
        ("postgresql://db.example/ar%00t", "control character"),
        ("postgresql://db.example/art?application_name=a%00b", "control character"),
        ("postgresql://db.example/art?application_name=a%0Ab", "control character"),
        ("postgresql://db.example/art?host=other", "server twice"),
        ("postgresql://db.example/art?port=5433", "server twice"),
        ("postgresql://db.example/art?hostaddr=127.0.0.1", "hostaddr"),
        ("postgresql:///art?hostaddr=127.0.0.1", "hostaddr"),
        ("postgresql://db.example:0/art", "is not written as"),
        ("postgresql://db.example:65536/art", "is not written as"),
        ("postgresql:///art?port=65536", "port that is none"),
        ("postgresql:///art?host=a,b&port=5432,x", "port that is none"),
        ("postgresql://db.example/art?sslmode=verify", "verify-full"),
        ("postgresql://db.example/art?connect_timeout=soon", "connect_timeout"),
        ("postgresql://db.example/art?user=a&user=b", "twice"),
    ],
)
def test_what_is_no_registry_is_said(url: str, reason: str, tmp_path: Path) -> None:
    assert reason in (problem_with(Uri.parse(url)) or "")
    with pytest.raises(ConfigError, match=r"^`"):
        open_tracker(Uri.parse(url), context_at(tmp_path))


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:hunter2@h/d", "postgresql://h/d?password=hunter2"],
)
def test_a_credential_is_refused_before_it_comes_here(url: str) -> None:
    with pytest.raises(ValueError, match="credential"):
        Uri.parse(url)
