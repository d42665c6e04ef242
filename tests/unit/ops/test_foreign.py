"""A manifest that belongs to another user of the machine."""

import json
import os
from pathlib import Path

import pytest

from artlock.errors import ConfigError
from artlock.formats.trust import parse_trust_rules
from torture.inside import artlock

OTHER = 4242

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Return a project whose manifest is another user's; it needs no settings."""
    root = tmp_path / "project"
    (root / "raw").mkdir(parents=True)
    (root / "raw/a").write_bytes(b"a")
    manifest = root / "artifacts.toml"
    manifest.write_text('[artifacts.a]\nuri = "raw/"\n')
    os.chown(manifest, OTHER, OTHER)
    return root


COMMANDS = (
    "resolve",
    "update",
    "sync",
    "check --remote",
    "check --retention",
    "status",
    "verify",
    "rm a",
    "add raw/a",
)


@needs_root
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("below", [".", "raw"])
def test_5_29_it_is_refused_here_and_above(theirs: Path, command: str, below: str) -> None:
    before = sorted(theirs.rglob("*"))
    ended = artlock(*command.split(), "-C", theirs / below)
    assert ended.code == 4
    assert "belongs to another user (uid 4242)" in ended.err
    assert "`ARTLOCK_TRUST=owner=4242`" in ended.err
    assert sorted(theirs.rglob("*")) == before


@needs_root
def test_5_29_the_doctor_asks_no_source_of_it(theirs: Path) -> None:
    ended = artlock("doctor", "--json", "-C", theirs)
    assert ended.code == 3
    found = json.loads(ended.out)["diagnoses"]
    assert any("belongs to another user" in one["text"] for one in found)
    assert not any(one["subject"] == "a" for one in found)


@needs_root
def test_5_29_a_link_to_ones_own_file_is_theirs_too(theirs: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text("")
    (theirs / "artifacts.toml").unlink()
    (theirs / "artifacts.toml").symlink_to(own)
    os.chown(theirs / "artifacts.toml", OTHER, OTHER, follow_symlinks=False)
    assert artlock("status", "-C", theirs).code == 4


@needs_root
@pytest.mark.parametrize("command", ["check", "ls"])
def test_5_29_what_asks_no_source_and_writes_nothing_works(
    theirs: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as trusting:
        trusting.setenv("ARTLOCK_TRUST", f"owner={OTHER}")
        assert artlock("resolve", "-C", theirs).code == 0
    before = sorted(theirs.rglob("*"))
    assert artlock(command, "-C", theirs).code == 0
    assert sorted(theirs.rglob("*")) == before


@needs_root
def test_5_29_a_yes_holds_until_a_setting_changes(theirs: Path) -> None:
    shown = artlock("trust", "--show", "-C", theirs)
    assert shown.code == 1
    assert "not trusted: the owner of artifacts.toml, uid 4242" in shown.out
    assert artlock("trust", "--yes", "-C", theirs).code == 0
    told = json.loads(artlock("trust", "--show", "--json", "-C", theirs).out)
    assert told["owner"] == {"uid": OTHER, "trusted": True}
    assert artlock("resolve", "-C", theirs).code == 0
    with (theirs / "artifacts.toml").open("a") as file:
        file.write('[artifacts.b]\nuri = "s3://b/k/"\nprofile = "p"\n')
    assert artlock("status", "-C", theirs).code == 4


@needs_root
def test_5_29_the_environment_may_name_the_owner(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTLOCK_TRUST", "owner=4243")
    assert artlock("resolve", "-C", theirs).code == 4
    monkeypatch.setenv("ARTLOCK_TRUST", "host.example,owner=4242")
    assert artlock("resolve", "-C", theirs).code == 0


@needs_root
def test_5_29_who_called_sudo_is_no_other(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    assert artlock("resolve", "-C", theirs).code == 0


def test_a_manifest_of_ones_own_needs_no_yes(tmp_path: Path) -> None:
    (tmp_path / "artifacts.toml").write_text("")
    told = json.loads(artlock("trust", "--show", "--json", "-C", tmp_path).out)
    assert told["owner"] is None


@pytest.mark.parametrize("text", ["owner=", "owner=ada", "owner=-1", "owner=\u0663"])
def test_an_owner_is_a_number(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_trust_rules(text)
