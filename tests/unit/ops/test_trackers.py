import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from artlock.errors import ConfigError, PolicyError, TrackerUnavailableError
from artlock.model.refs import Ref
from artlock.model.uri import Uri
from artlock.ops.project import Project
from artlock.ops.runtime import Runtime
from artlock.ops.trackers import (
    Target,
    Trackers,
    chosen_targets,
    names_of_trackers,
    target_of,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


def runtime(own: Mapping[str, str] | None = None, *, offline: bool = False) -> Runtime:
    settings = Path(os.environ["XDG_CONFIG_HOME"]) / "artlock" / "config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'{name} = "{url}"' for name, url in (own or {}).items()]
    settings.write_text("\n".join(["[trackers]", *lines]))
    return Runtime.load(os.environ, offline=offline)


def project(root: Path, runtime: Runtime, declared: Mapping[str, str]) -> Project:
    lines = [f'{name} = "{url}"' for name, url in declared.items()]
    text = "\n".join(["[artlock]", "version = 1", "[trackers]", *lines])
    return Project.of(root, text, runtime)


def shown(targets: list[Target]) -> list[tuple[str, str]]:
    return [(target.name, str(target.url)) for target in targets]


def test_without_any_it_is_the_users_own_registry() -> None:
    (target,) = chosen_targets(runtime(), None)
    assert target.is_local
    assert str(target.url) == f"sqlite:///{os.environ['XDG_DATA_HOME']}/artlock/registry.db"


def test_all_that_are_named_are_served_in_their_order_each_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTLOCK_TRUST", "db.example,trackers.b=sqlite:///b.db")
    own = runtime({"mine": "sqlite:////data/mine.db", "same": "postgresql://db.example/a"})
    declared = project(
        root, own, {"team": "postgresql://db.example/a", "b": "sqlite:///b.db"}
    )
    assert shown(chosen_targets(own, declared)) == [
        ("same", "postgresql://db.example/a"),
        ("b", f"sqlite:///{root}/b.db"),
        ("mine", "sqlite:////data/mine.db"),
    ]


def test_what_the_user_says_of_a_name_wins_and_needs_no_trust(root: Path) -> None:
    own = runtime({"team": "sqlite:////data/mine.db"})
    declared = project(root, own, {"team": "sqlite:////evil/theirs.db"})
    assert shown(chosen_targets(own, declared)) == [("team", "sqlite:////data/mine.db")]


def test_a_tracker_of_the_repository_needs_trust_also_to_be_asked(root: Path) -> None:
    own = runtime()
    declared = project(root, own, {"team": "postgresql://db.example/a"})
    with pytest.raises(PolicyError, match=r"`trackers\.team` .* is not trusted"):
        chosen_targets(own, declared)
    with pytest.raises(PolicyError):
        target_of(own, declared, Ref.parse("data:v1"))
    with pytest.raises(PolicyError):
        target_of(own, declared, Ref.parse("team#data"))
    # A URL that the user types is the user's own word.
    assert target_of(own, declared, Ref.parse("postgresql://db.example/a#data"))
    assert target_of(own, declared, Ref.parse("local#data")).is_local


def test_a_ref_says_whom_to_ask() -> None:
    own = runtime({"a": "sqlite:////a.db", "b": "sqlite:////b.db"})
    assert target_of(own, None, Ref.parse("data")).name == "a"
    assert target_of(own, None, Ref.parse("b#data")).name == "b"
    assert target_of(own, None, Ref.parse("data"), "b").name == "b"
    assert target_of(own, None, Ref.parse("b#data"), "b").name == "b"
    with pytest.raises(ConfigError, match="names a tracker, and `--to a` names another"):
        target_of(own, None, Ref.parse("b#data"), "a")
    with pytest.raises(ConfigError, match="there is no tracker `c`"):
        target_of(own, None, Ref.parse("c#data"))


def test_names_are_known_by_url_without_trust(root: Path) -> None:
    own = runtime({"mine": "sqlite:////data/mine.db"})
    declared = project(root, own, {"team": "sqlite:///team.db"})
    assert names_of_trackers(own, declared) == {
        f"sqlite:///{root}/team.db": "team",
        "sqlite:////data/mine.db": "mine",
    }


def test_offline_no_server_is_asked_but_files_are(tmp_path: Path) -> None:
    with Trackers(runtime(offline=True), tmp_path) as trackers:
        assert trackers.tracker(Uri.parse(f"sqlite:///{tmp_path}/a.db")).names() == []
        with pytest.raises(TrackerUnavailableError, match="needs the network"):
            trackers.tracker(Uri.parse("postgresql://127.0.0.1:1/a"))


def test_a_home_with_odd_characters_has_a_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "od d#1?%20"))
    with Trackers(runtime(), tmp_path) as trackers:
        (target,) = chosen_targets(runtime(), None)
        assert trackers.tracker(target.url) is trackers.local()
