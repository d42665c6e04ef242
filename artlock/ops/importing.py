"""Adopt the pins of another tool: declare what they are of, and lock what they say."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import ConfigError, PolicyError, UnsafePathError
from artlock.formats.imports.dvc import read_dvc
from artlock.formats.imports.pooch import read_pooch
from artlock.formats.imports.quilt import read_quilt
from artlock.formats.imports.wandb import read_wandb
from artlock.formats.manifest import parse_manifest
from artlock.formats.manifest_edit import add_artifact
from artlock.model.imports import artifacts_of
from artlock.model.lock import Kind
from artlock.model.paths import problem_with
from artlock.ops.edit import project_name, write_both
from artlock.ops.import_reading import lock_as_pinned, lock_by_reading
from artlock.ops.policy import problem_with_source
from artlock.ops.project import Project, find_root, read_manifest
from artlock.ops.resolve import resolve
from artlock.ops.trusting import refuse_foreign

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.model.imports import ImportedArtifact, Pins
    from artlock.model.lock import LockedArtifact
    from artlock.ops.runtime import Runtime

_LARGEST = 1 << 30
"""Bytes of a file of pins: as many as a lockfile may have."""


class Tool(StrEnum):
    """Whose pins can be read."""

    DVC = "dvc"
    WANDB = "wandb"
    QUILT = "quilt"
    POOCH = "pooch"


_BY_ENDING = {
    ".dvc": Tool.DVC,
    ".jsonl": Tool.QUILT,
    ".json": Tool.WANDB,
    ".txt": Tool.POOCH,
}


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import came to.

    Attributes:
        locked: Artifacts that are locked now, in the order of the pins.
        places: Where they and those that are left will be, by name, from the project.
        left: Names of those that are only declared, because their pins do not tell a size.
        open: Names of those whose declaration means more than what was pinned.
        read: Names of those that were read and compared with their pins.
        written: Whether anything was written.
    """

    tool: Tool
    locked: tuple[LockedArtifact, ...]
    places: Mapping[str, str]
    left: tuple[str, ...]
    open: tuple[str, ...]
    read: tuple[str, ...]
    written: bool


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for; ``None`` means "not said".

    Attributes:
        name: Of the artifact.
        base: Where objects are, if the pins do not tell.
        frozen: Ask no source.
        write: Write both files.
    """

    tool: Tool | None = None
    name: str | None = None
    base: str | None = None
    frozen: bool = False
    write: bool = True


def adopt(start: Path, runtime: Runtime, file: Path, wish: Wish) -> Imported:
    """Declare and lock what a file of another tool pins.

    Sources are asked only for pins that tell no size: the bytes that come must be of the
    version and have the digests that were pinned. If anything fails, both files stay as
    they were.

    Raises:
        ConfigError: The file is no pin that can be read, or pins what cannot be had.
        ManifestError: There is no manifest, or a name is taken.
        PolicyError: A source or path is not allowed.
        UnsafePathError: A pin puts data where it would steer something.
        IntegrityError: Bytes are not those that were pinned.
        StoreError: A source refused or failed.
    """
    root = find_root(start)
    before = read_manifest(root)
    tool = wish.tool or _tool_of(file)
    pins = _read(file, tool, wish.base, root)
    if pins.place is not None:
        pins = _moved(pins, file, root)
    name = wish.name or project_name(file.name.partition(".")[0] or file.stem)
    found = artifacts_of(pins, name)
    after = before
    for one in found:
        _refuse_place(one, file)
        after = add_artifact(after, one.name, one.fields)
    parse_manifest(after)  # whatever a pin says, it follows the rules of a person's words
    project = Project.of(root, after, runtime)
    refuse_foreign(project)
    for one in found:
        _refuse_source(project, one.name)
    locked = {
        one.name: lock_as_pinned(project, one, one.rows)
        for one in found
        if one.rows is not None
    }
    unread = [one for one in found if one.rows is None and not wish.frozen]
    lockfile = project.lock_files.frame()
    lock = resolve(project, (), write=False).lock
    if unread:
        read = lock_by_reading(project, unread, record=file.name)
        locked |= {artifact.name: artifact for artifact in read}
    kept = (a for a in lock.artifacts if a.name not in locked)
    everything = sorted((*kept, *locked.values()), key=lambda artifact: artifact.name)
    lock = replace(lock, artifacts=tuple(everything))
    if wish.write:
        write_both(project, before, after, lock, lockfile=lockfile)
    return Imported(
        tool=tool,
        locked=tuple(locked[one.name] for one in found if one.name in locked),
        places={one.name: _place(project, one) for one in found},
        left=tuple(one.name for one in found if one.name not in locked),
        open=tuple(one.name for one in found if one.is_open),
        read=tuple(one.name for one in unread),
        written=wish.write,
    )


def _tool_of(file: Path) -> Tool:
    tool = _BY_ENDING.get(file.suffix if file.stem else file.name)
    if tool is None:
        message = f"`{file.name}` does not say by its name whose pins it has"
        tools = ", ".join(f"`{each}`" for each in Tool)
        raise ConfigError(message, hint=f"say it with `--tool`: {tools}")
    return tool


def _read(file: Path, tool: Tool, base: str | None, root: Path) -> Pins:
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
        content = data.decode("utf-8")
    except OSError as error:
        message = f"`{file}` cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    except UnicodeDecodeError as error:
        message = f"`{file}` is not UTF-8: byte {error.start}"
        raise ConfigError(message) from error
    if len(data) > _LARGEST:
        message = f"`{file}` is larger than {_LARGEST} bytes"
        raise ConfigError(message)
    if base is not None and tool not in {Tool.DVC, Tool.POOCH}:
        message = f"`--base` has no meaning for `{tool}`, whose pins say where objects are"
        raise ConfigError(message)
    match tool:
        case Tool.DVC:
            return read_dvc(content, file.name, base, folder=_in_repository(file, root))
        case Tool.WANDB:
            return read_wandb(content, file.name)
        case Tool.QUILT:
            return read_quilt(content, file.name)
        case Tool.POOCH:
            return read_pooch(content, file.name, base)


def _in_repository(file: Path, root: Path) -> str:
    """Return the folder of a file from the top of DVC's repository.

    That is the nearest folder with a `.dvc` in it, else the project.
    """
    folder = file.resolve().parent
    top = next((f for f in (folder, *folder.parents) if (f / ".dvc").is_dir()), root)
    return folder.relative_to(top).as_posix() if folder.is_relative_to(top) else ""


def _moved(pins: Pins, file: Path, root: Path) -> Pins:
    """Return pins whose place is below the project; a place outside of it is dropped.

    Raises:
        ConfigError: Objects are beside a file that is not at the top of the project.
    """
    folder = file.resolve().parent
    if folder != root and any(found.uri.is_relative for found in pins.objects):
        message = f"`{file.name}` pins files beside it, and does not lie in `{root}`"
        raise ConfigError(message, hint="declare them with `artlock add PATH`")
    place = Path(os.path.normpath(folder / (pins.place or "")))
    is_inside = place.is_relative_to(root) and place != root
    return replace(pins, place=place.relative_to(root).as_posix() if is_inside else None)


def _place(project: Project, one: ImportedArtifact) -> str:
    """Return the file or folder that an artifact will be."""
    (artifact,) = project.chosen([one.name])
    if one.kind is Kind.TREE:
        return artifact.folder
    return artifact.target(one.path_of(one.objects[0]), is_file=True)


def _refuse_place(one: ImportedArtifact, file: Path) -> None:
    """Refuse a place that only a person may choose, such as `.github`.

    Raises:
        UnsafePathError: Somebody else's pin names it.
    """
    place = one.fields.get("path")
    problem = problem_with(place) if isinstance(place, str) else None
    if problem is not None:
        message = f"`{file.name}` puts `{one.name}` where data may not be: {problem}"
        hint = "declare it yourself with `artlock add URI`, and another `path`"
        raise UnsafePathError(message, paths=[str(place)], hint=hint)


def _refuse_source(project: Project, name: str) -> None:
    (artifact,) = project.chosen([name])
    problem = problem_with_source(project.manifest.policy, artifact)
    if problem is not None:
        raise PolicyError(problem, hint="change `[policy] allow`, or leave these pins out")
