"""Questions to git about a project: bounded in time, without a shell.

git is found once, by its absolute path, and never in the folder that artlock was started in
(hazard 5.15). A question that git answers with "no" is an answer; everything else that goes
wrong is a ``GitError``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT_S = 60.0
_ABSENT = 128
"""What git exits with for everything that is not an answer."""
_SYMLINK = "120000"
_OBJECT_NAME = re.compile(rb"[0-9a-f]{40,64}\n")
_OUTSIDE = (b"not a git repository", b"must be run in a work tree")
"""How git says that there is no work tree here, in the language of ``LC_ALL=C``."""
_UNSHALLOW = "a shallow clone may lack it: `git fetch --unshallow`"
_INHERITED = frozenset(
    {
        "GIT_CEILING_DIRECTORIES",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    }
)
"""Variables of git that may come from outside; ``GIT_DIR`` would point elsewhere."""


def repository_root(path: Path) -> Path | None:
    """Return the top of the work tree that ``path`` is in, or ``None``.

    Args:
        path: A folder that exists.

    Raises:
        GitError: git is absent, took too long, or refuses the repository.
    """
    answer = run_git(path, ["rev-parse", "--show-toplevel"])
    if answer.returncode == 0:
        return Path(os.fsdecode(answer.stdout.removesuffix(b"\n")))
    if any(phrase in answer.stderr for phrase in _OUTSIDE):
        return None
    raise failure(answer, "cannot find the repository")


def work_tree(path: Path) -> Path:
    """Return the top of the work tree that ``path`` is in.

    Raises:
        GitError: It is in none; or as ``repository_root``.
    """
    root = repository_root(path)
    if root is None:
        message = f"`{path}` is in no git repository"
        hint = "run `git init`, and commit `artifacts.lock`"
        if os.environ.get("GIT_DIR"):
            message += " that is found from there, and artlock does not follow `GIT_DIR`"
            hint = (
                "leave artlock's hooks out here (`git commit --no-verify`), and call "
                "`artlock check` yourself"
            )
        raise GitError(message, hint=hint)
    return root


def has_commit(root: Path) -> bool:
    """Tell whether ``HEAD`` is a commit: in a new repository it is none yet.

    Raises:
        GitError: git is absent, or took too long.
    """
    return run_git(root, ["rev-parse", "--verify", "--quiet", "HEAD"]).returncode == 0


def cut_commits(root: Path) -> frozenset[str]:
    """Return the commits of a shallow clone whose parents it does not have.

    Raises:
        GitError: git is absent, or cannot tell.
    """
    answer = run_git(root, ["rev-parse", "--git-path", "shallow"])
    if answer.returncode != 0:
        raise failure(answer, "cannot tell whether the clone is shallow")
    path = root / os.fsdecode(answer.stdout.removesuffix(b"\n"))
    with suppress(FileNotFoundError):
        return frozenset(path.read_text("ascii").split())
    return frozenset()


def read_at(root: Path, revision: str, path: str) -> bytes | None:
    """Return a file as it was at a revision; ``None`` if it was not there.

    Args:
        root: A folder of the repository.
        revision: Anything that names a commit: ``HEAD~2``, ``main``, ``v1.0``.
        path: Relative to ``root``, with ``/`` between segments.

    Raises:
        GitError: No such revision, git is absent, or this is not a repository.
    """
    commit = commit_of(root, revision)
    listed = run_git(root, ["ls-tree", "-z", commit, "--", path])
    if listed.returncode != 0:
        raise failure(listed, f"cannot look into `{revision}`")
    digest = _file_in(listed.stdout, path)
    if digest is None:
        return None
    answer = run_git(root, ["cat-file", "blob", digest])
    if answer.returncode != 0:
        raise failure(answer, f"cannot read `{path}` at `{revision}`")
    return answer.stdout


def files_named(root: Path, revision: str, name: str) -> tuple[str, ...]:
    """Return the files of a name as they were at a revision, in whatever folder, sorted.

    Args:
        root: A folder of the repository.
        revision: Anything that names a commit.
        name: Without a folder.

    Returns:
        Paths from the top.

    Raises:
        GitError: No such revision, git is absent, or this is not a repository.
    """
    commit = commit_of(root, revision)
    listed = run_git(root, ["ls-tree", "-r", "-z", "--full-tree", "--name-only", commit])
    if listed.returncode != 0:
        raise failure(listed, f"cannot look into `{revision}`")
    paths = (os.fsdecode(path) for path in listed.stdout.split(b"\0"))
    return tuple(sorted(path for path in paths if path.rpartition("/")[2] == name))


def merge_base(root: Path, revision: str, other: str = "HEAD") -> str:
    """Return the commit in which two revisions last were one.

    Args:
        root: A folder of the repository.
        revision: Anything that names a commit.
        other: Likewise.

    Raises:
        GitError: No such revision, no commit in common, git is absent, or this is not a
            repository.
    """
    commit = commit_of(root, revision)
    answer = run_git(root, ["merge-base", commit, commit_of(root, other)])
    if answer.returncode == 0 and _OBJECT_NAME.fullmatch(answer.stdout):
        return answer.stdout.decode("ascii").strip()
    if answer.returncode == _ABSENT:
        raise failure(answer, f"cannot tell where `{revision}` and `{other}` were one")
    message = f"`{revision}` and `{other}` have no commit in common"
    raise GitError(message, hint=_UNSHALLOW)


class Version(msgspec.Struct, frozen=True):
    """A version of a file.

    Attributes:
        name: The object name of the file.
        commits: The object names of the commits, or of tags of some, that have it.
    """

    name: str
    commits: tuple[str, ...]


def versions_of(
    root: Path, path: str, beside: str, *, every_commit: bool
) -> tuple[Version, ...]:
    """Return all versions of a file that refs lead to, sorted by their object names.

    Refs are branches, tags, what was fetched of other repositories, and the stash.

    Args:
        root: A folder of the repository.
        path: Relative to ``root``, with ``/`` between segments.
        beside: A folder that belongs to the file, likewise: a commit that changed only
            what is in there is one of those that are named.
        every_commit: As it is at every commit that a ref leads to; else only at the refs
            themselves and at ``HEAD``.

    Raises:
        GitError: git is absent, this is not a repository, or ``path`` has a line break.
    """
    if "\n" in path:
        message = f"git cannot be asked about a path with a line break: `{path}`"
        raise GitError(message)
    names = _commits_with(root, path, beside) if every_commit else _tips(root)
    asked = b"".join(os.fsencode(f"{name}:{path}\n") for name in names)
    answer = run_git(root, ["cat-file", "--batch-check"], stdin=asked)
    if answer.returncode != 0:
        raise failure(answer, f"cannot look for `{path}` in the commits")
    found: dict[str, dict[str, None]] = {}
    for commit, line in zip(names, answer.stdout.splitlines(), strict=True):
        words = line.split(b" ")
        if words[1:2] == [b"blob"]:
            found.setdefault(words[0].decode("ascii"), {})[commit] = None
    return tuple(Version(name, tuple(found[name])) for name in sorted(found))


def _tips(root: Path) -> list[str]:
    refs = run_git(root, ["for-each-ref", "--format=%(objectname)"])
    if refs.returncode != 0:
        raise failure(refs, "cannot list the refs")
    return [*refs.stdout.decode("ascii").split(), "HEAD"]


def _commits_with(root: Path, *paths: str) -> list[str]:
    """Return commits that together have every version of some files, and of them all."""
    # Without the simplification that passes over a side whose changes a merge dropped.
    query = ["rev-list", "--all", "HEAD", "--full-history", "--", *paths]
    answer = run_git(root, query)
    if answer.returncode != 0 and b"HEAD" in answer.stderr:  # no commit yet
        answer = run_git(root, [part for part in query if part != "HEAD"])
    if answer.returncode != 0:
        raise failure(answer, f"cannot list the history of `{paths[0]}`")
    return answer.stdout.decode("ascii").split()


def read_version(root: Path, name: str) -> bytes:
    """Return a version of a file by the object name that ``versions_of`` gave.

    Raises:
        GitError: git cannot read it: a partial clone may lack it.
    """
    answer = run_git(root, ["cat-file", "blob", name])
    if answer.returncode != 0:
        raise failure(answer, f"cannot read the object `{name}`")
    return answer.stdout


def _file_in(listing: bytes, path: str) -> str | None:
    """Return the object name of the one entry that is a file of this path, or ``None``."""
    entry, _, name = listing.removesuffix(b"\0").partition(b"\t")
    if name != os.fsencode(path):
        return None
    mode, kind, digest = entry.decode("ascii").split(" ")
    return digest if kind == "blob" and mode != _SYMLINK else None


def commit_of(root: Path, revision: str) -> str:
    """Return the object name of the commit that a revision names.

    Raises:
        GitError: No such revision, git is absent, or this is not a repository.
    """
    if not revision or revision.startswith("-") or not revision.isprintable():
        raise _unknown(revision)
    query = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{revision}^{{commit}}",
    ]
    answer = run_git(root, query)
    # A name may also exclude commits, or mean several.
    if answer.returncode == 0 and _OBJECT_NAME.fullmatch(answer.stdout):
        return answer.stdout.decode("ascii").strip()
    if answer.returncode == _ABSENT and answer.stderr:
        raise failure(answer, f"cannot look up `{revision}`")
    raise _unknown(revision)


def _unknown(revision: str) -> GitError:
    message = f"git knows no revision `{revision}`"
    return GitError(message, hint=_UNSHALLOW)


def is_tracked(root: Path, path: str) -> bool:
    """Tell whether git tracks ``path``, or anything below it.

    Args:
        root: A folder of the repository.
        path: Relative to ``root``, with ``/`` between segments.

    Raises:
        GitError: git is absent, or this is not a repository.
    """
    answer = run_git(root, ["ls-files", "-z", "--", path])
    if answer.returncode != 0:
        raise failure(answer, f"cannot tell whether `{path}` is tracked")
    return bool(answer.stdout)


def is_ignored(root: Path, path: str) -> bool:
    """Tell whether git ignores ``path``; a path that is tracked is not ignored.

    Args:
        root: A folder of the repository.
        path: Relative to ``root``, with ``/`` between segments; a trailing ``/`` says that
            it is a folder, which need not exist.

    Raises:
        GitError: git is absent, or this is not a repository.
    """
    # This command knows no literal paths; one that starts with a dot has no magic.
    answer = run_git(root, ["check-ignore", "--quiet", "--", f"./{path}"], options=())
    if answer.returncode in {0, 1}:
        return answer.returncode == 0
    raise failure(answer, f"cannot tell whether `{path}` is ignored")


def run_git(
    folder: Path,
    arguments: Sequence[str],
    *,
    options: Sequence[str] = ("--literal-pathspecs",),
    stdin: bytes = b"",
    index: str | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder, and return its answer, whatever it is.

    Args:
        folder: Where.
        arguments: The command and what belongs to it.
        options: Of git itself.
        stdin: What it reads.
        index: Another index than the repository's own.

    Raises:
        GitError: git is absent, cannot be run there, or took too long.
    """
    # A file system monitor is a program that the repository's configuration names.
    always = ["--no-pager", "-c", "core.fsmonitor=false"]
    command = [_git(), *always, *options, *arguments]
    try:
        return subprocess.run(  # noqa: S603 - a list, an absolute path, no shell
            command,
            cwd=folder,
            env=_environment() | ({"GIT_INDEX_FILE": index} if index else {}),
            input=stdin,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"git did not answer within {_TIMEOUT_S:.0f} seconds"
        raise GitError(message) from error
    except OSError as error:
        message = f"git cannot be run in `{folder}`: {error.strerror}"
        raise GitError(message) from error


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_")
        or name in _INHERITED
        or name.startswith("GIT_CONFIG")
    }
    # No lock is taken for a look, and messages are in the language that is compared.
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}


def _git() -> str:
    return _found(os.environ.get("PATH", os.defpath))


@cache
def _found(search: str) -> str:
    """Return the absolute path of git; relative entries of ``PATH`` are passed over."""
    for folder in search.split(os.pathsep):
        if not Path(folder).is_absolute():
            continue
        found = shutil.which("git", path=folder)
        # On Windows `which` may answer with the current folder all the same.
        if found is not None and Path(found).parent == Path(folder):
            return found
    raise GitError("git is not installed, or not on `PATH`", hint="install git")  # noqa: EM101, TRY003 - one fact


def failure(answer: subprocess.CompletedProcess[bytes], what: str) -> GitError:
    """Return the error for what git refused, with its own first line as the reason."""
    lines = answer.stderr.decode(errors="replace").splitlines()
    reason = next((line for line in lines if line.strip()), "git gave no reason")
    for prefix in ("fatal: ", "error: "):
        reason = reason.removeprefix(prefix)
    return GitError(f"{what}: {reason}")
