"""Start a project, and put artifacts into its manifest or take them out."""

from __future__ import annotations

import posixpath
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import ArtlockError, ManifestError, WorkspaceError
from artlock.formats.manifest import parse_manifest
from artlock.formats.manifest_edit import add_artifact, initial_manifest, remove_artifact
from artlock.fs.atomic import replace_file
from artlock.fs.problems import raising
from artlock.model.manifest import DEFAULT_FOLDER
from artlock.model.uri import Uri
from artlock.ops.names import LOCKFILE, MANIFEST, PARTS, STATE
from artlock.ops.project import Project, find_root, read_manifest
from artlock.ops.resolve import Resolution, resolve
from artlock.ops.trusting import refuse_foreign

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from artlock.model.lock import Lockfile
    from artlock.ops.runtime import Runtime

_ATTRIBUTES = (
    f"{LOCKFILE} text eol=lf linguist-generated",
    f"{LOCKFILE} merge=artlock diff=artlock",
    f"{PARTS}/** text eol=lf linguist-generated",
    f"{PARTS}/** merge=artlock",
)
"""Half of the lines do nothing before `artlock git install`."""
_IGNORED = (f"/{DEFAULT_FOLDER}/", f"/{STATE}/")


class Addition(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks to declare; ``None`` and empty mean "not said"."""

    uri: str
    name: str | None = None
    path: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    version: str | None = None
    as_of: str | None = None
    link: bool = False
    digest: bool = False

    def fields(self) -> dict[str, str | bool | tuple[str, ...]]:
        """Return the keys of the new table; only those that were said."""
        said: dict[str, str | bool | tuple[str, ...] | None] = {
            "uri": self.uri,
            "path": self.path,
            "include": self.include or None,
            "exclude": self.exclude or None,
            "groups": self.groups or None,
            "version": self.version,
            "as-of": self.as_of,
            "link": self.link or None,
            "checksum": "blake3" if self.digest else None,
        }
        return {key: value for key, value in said.items() if value is not None}


def start_project(folder: Path, *, name: str | None = None) -> tuple[str, ...]:
    """Make a manifest in ``folder``, and tell git how to treat artlock's files.

    Returns:
        The names of the files that were written; what is there already is kept.

    Raises:
        ManifestError: There is a manifest already.
        WorkspaceError: A file cannot be written.
    """
    try:
        folder = folder.resolve(strict=True)
    except OSError as error:
        message = f"there is no folder `{folder}`"
        raise WorkspaceError(message) from error
    if (folder / MANIFEST).exists():
        message = f"there is an `{MANIFEST}` here already"
        raise ManifestError(message, hint="run `artlock add URI`")
    written = [".gitattributes"] if add_attributes(folder) else []
    written += [".gitignore"] if _add_lines(folder / ".gitignore", _IGNORED) else []
    text = initial_manifest(name or project_name(folder.name))
    parse_manifest(text)
    _write(folder / MANIFEST, text.encode())
    return (MANIFEST, *written)


def add_attributes(folder: Path) -> bool:
    """Tell git how to treat the lockfile of a folder; tell whether that was new.

    Raises:
        WorkspaceError: ``.gitattributes`` cannot be read or written.
    """
    return _add_lines(folder / ".gitattributes", _ATTRIBUTES)


def add(
    start: Path,
    runtime: Runtime,
    addition: Addition,
    *,
    resolve_it: bool = True,
    write: bool = True,
) -> tuple[str, Resolution | None]:
    """Declare an artifact and lock it.

    A relative path is one from ``start``, as a person types it there; the manifest gets it
    relative to the project.

    The manifest is written only after its source could be resolved, and both files stay as
    they were if anything fails.

    Returns:
        The artifact's name, and what the resolve came to (``None`` if it was not asked
        for).

    Raises:
        ManifestError: There is no manifest, the name is taken, or the URI is not valid.
        StoreError: The source refused or failed.
        WorkspaceError: Somebody changed a file meanwhile, or it cannot be written.
    """
    root = find_root(start)
    before = read_manifest(root)
    addition = replace(addition, uri=_from_project(addition.uri, start, root))
    name = addition.name or _new_name(addition.uri, before)
    after = add_artifact(before, name, addition.fields())
    return name, _edited(root, runtime, before, after, [name], resolve_it, write)


def remove(
    project: Project, names: Sequence[str], *, resolve_it: bool = True, write: bool = True
) -> Resolution | None:
    """Take artifacts out of the manifest and the lockfile; the workspace stays as it is.

    Raises:
        ManifestError: There is no artifact of that name.
    """
    project.chosen(names)
    before = after = read_manifest(project.root)
    for name in dict.fromkeys(names):
        after = remove_artifact(after, name)
    return _edited(project.root, project.runtime, before, after, [], resolve_it, write)


def _edited(
    root: Path,
    runtime: Runtime,
    before: str,
    after: str,
    names: list[str],
    resolve_it: bool,  # noqa: FBT001 - private
    write: bool,  # noqa: FBT001 - private
) -> Resolution | None:
    """Resolve under the edited manifest first, then write the manifest, then the lockfile.

    A manifest without its lock rows is stale, which ``check`` names and ``resolve`` mends;
    so that order is safe wherever a crash falls.
    """
    project = Project.of(root, after, runtime)
    refuse_foreign(project)
    if not resolve_it:
        if write:
            _replace_manifest(project, before, after)
        return None
    lockfile = project.lock_files.frame()
    dry = resolve(project, names, write=False)
    if not write:
        return dry
    written = write_both(project, before, after, dry.lock, lockfile=lockfile)
    return replace(dry, written=written)


def write_both(
    project: Project, before: str, after: str, lock: Lockfile, *, lockfile: bytes | None
) -> bool:
    """Write the manifest, then the lockfile; tell whether its bytes differ.

    Args:
        project: Of the manifest ``after``.
        before: The manifest that ``after`` was made from.
        after: The manifest to write.
        lock: What is to be locked.
        lockfile: The bytes that ``lock`` was made from.

    Raises:
        WorkspaceError: Somebody changed a file meanwhile, or it cannot be written; the
            manifest is as it was.
    """
    _replace_manifest(project, before, after)
    try:
        return project.write_lockfile(lock, before=lockfile)
    except ArtlockError:
        # What somebody wrote since stays: it is not this command's to take back.
        with suppress(ArtlockError):
            _replace_manifest(project, after, before)
        raise


def _replace_manifest(project: Project, before: str, after: str) -> None:
    """Write the manifest if it is still ``before``: a resolve takes long, people type."""
    with project.mutex(f"writing {MANIFEST}"):
        if read_manifest(project.root) != before:
            message = f"`{MANIFEST}` changed while this command ran; nothing was written"
            raise WorkspaceError(message, hint="run it again")
        _write(project.root / MANIFEST, after.encode())


def project_name(text: str) -> str:
    """Return ``text`` as a valid name: lower case, with ``-`` for what cannot be in one."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
    return name or "data"


def _from_project(uri: str, start: Path, root: Path) -> str:
    """Return a URI as it is, and a relative path from ``start`` as one from ``root``."""
    below = start.resolve().relative_to(root)
    # An absolute path, another scheme, and what is spelled wrongly in any folder.
    if not below.parts or uri.startswith(("/", "~")) or ":" in uri or "\\" in uri:
        return uri
    path = posixpath.normpath(posixpath.join(below.as_posix(), uri))
    return path + "/" if uri.endswith("/") and path != "." else path


def _new_name(uri: str, manifest: str) -> str:
    """Return a free name after the last segment of a URI."""
    try:
        parsed = Uri.parse(uri)
    except ValueError as error:
        # Not repeated: it may hold a credential, which is why it is refused.
        message = f"this URI cannot be declared: {error}"
        raise ManifestError(message) from error
    last = parsed.key.partition("?")[0].removesuffix("/").rpartition("/")[2]
    base = project_name(last.partition(".")[0] or last or parsed.authority or "")
    taken = {a.name for a in parse_manifest(manifest).artifacts}
    candidates = (base, *(f"{base}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in candidates if name not in taken)


def _add_lines(path: Path, lines: Iterable[str]) -> bool:
    """Append the lines that a file lacks; tell whether it was changed."""
    try:
        text = path.read_text("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        message = f"`{path.name}` cannot be read: {error.strerror}"
        raise WorkspaceError(message) from error
    have = {line.strip() for line in text.splitlines()}
    missing = [line for line in lines if line not in have]
    if not missing:
        return False
    separator = "" if not text or text.endswith("\n") else "\n"
    added = text + separator + "".join(f"{line}\n" for line in missing)
    _write(path, added.encode("utf-8", errors="surrogateescape"))
    return True


def _write(path: Path, data: bytes) -> None:
    subject = f"`{path.name}` cannot be written"
    with raising(WorkspaceError, subject, needed=len(data)):
        replace_file(path, data)
