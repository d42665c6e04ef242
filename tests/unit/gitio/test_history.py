import os
import subprocess
from pathlib import Path

import pytest

from artlock.errors import GitError
from artlock.gitio.history import history_of


def git(folder: Path, *arguments: str, author: str = "A") -> None:
    identity = {"NAME": author, "EMAIL": "a@example.org"}
    people = ("AUTHOR", "COMMITTER")
    variables = {
        f"GIT_{who}_{key}": text for who in people for key, text in identity.items()
    }
    subprocess.run(
        ["git", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | variables,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    return tmp_path


def commit(root: Path, text: str, message: str, *, author: str = "A") -> None:
    (root / "f").write_text(text)
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", message, author=author)


def test_the_newest_comes_first_with_what_was_before(root: Path) -> None:
    commit(root, "one", "First")
    commit(root, "two", "Second")
    second, first = history_of(root, "f")
    assert (first.commit.subject, second.commit.subject) == ("First", "Second")
    assert first.before == (None,)
    assert second.before == (first.after,)


def test_other_files_do_not_count_and_a_deletion_does(root: Path) -> None:
    commit(root, "one", "First")
    (root / "other").write_text("x")
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", "Other")
    git(root, "rm", "-q", "f")
    git(root, "commit", "-q", "-m", "Gone")
    gone, first = history_of(root, "f")
    assert gone.after is None
    assert gone.before == (first.after,)


def test_a_merge_has_what_each_parent_had(root: Path) -> None:
    commit(root, "a\nb\nc\nd\n", "First")
    git(root, "checkout", "-q", "-b", "side")
    commit(root, "a\nb\nc\nside\n", "Side")
    git(root, "checkout", "-q", "main")
    commit(root, "main\nb\nc\nd\n", "Main")
    git(root, "merge", "-q", "--no-edit", "side")
    merge, *others = history_of(root, "f")
    by_subject = {step.commit.subject: step for step in others}
    assert set(by_subject) == {"First", "Side", "Main"}
    assert set(merge.before) == {by_subject["Main"].after, by_subject["Side"].after}


@pytest.mark.parametrize("text", [":100644 x", "commit\t\x01\x1b[31m", "ü", "-n"])
def test_what_people_write_is_only_text(root: Path, text: str) -> None:
    commit(root, "one", text, author=text)
    (step,) = history_of(root, "f")
    assert step.commit.subject == text
    assert step.commit.author.strip(":") == text.strip(
        ":"
    )  # git drops some signs at its ends


def test_settings_of_a_person_change_nothing(root: Path) -> None:
    commit(root, "a\nb\nc\nd\n", "Fürst")
    git(root, "checkout", "-q", "-b", "side")
    commit(root, "a\nb\nc\nside\n", "Side")
    git(root, "checkout", "-q", "main")
    commit(root, "main\nb\nc\nd\n", "Main")
    git(root, "merge", "-q", "--no-edit", "side")
    plain = list(history_of(root, "f"))
    for setting in (
        "log.showSignature=true",
        "log.follow=true",
        "log.decorate=full",
        "log.showRoot=false",
        "log.diffMerges=first-parent",
        "i18n.logOutputEncoding=ISO-8859-1",
        "format.pretty=oneline",
    ):
        git(root, "config", *setting.split("="))
    assert list(history_of(root, "f")) == plain
    assert plain[-1].commit.subject == "Fürst"
    assert len(plain[0].before) == 2


def test_a_name_is_no_pattern(root: Path) -> None:
    commit(root, "one", "First")
    assert list(history_of(root, "*")) == []


def test_without_a_commit_there_is_no_history(root: Path) -> None:
    with pytest.raises(GitError, match="cannot list the history of `f`"):
        list(history_of(root, "f"))
