"""``.dvc`` files of DVC 3: imports from a URL, and outputs in a remote with versions.

::

    deps:                              outs:
    - path: s3://bucket/t              - path: model.bin
      files:                             md5: 14f3…
      - relpath: a.txt                   size: 7
        etag: 2904…                      cloud:
        size: 7                            storage:
        version_id: 6714…                    etag: 14f3…
                                             version_id: 6714…

A ``.dir`` digest is that of a list which is in DVC's cache and not in git, so there is
nothing to take from it. Paths are relative to ``wdir``, which is relative to the file; in a
remote with versions an output stands at its path from the top of DVC's repository.
"""

from __future__ import annotations

from posixpath import join, normpath

from artlock.formats.imports.faults import (
    etag_of,
    hex_of,
    mapping,
    md5,
    refuse,
    size_of,
    text,
    uri_of,
    version_of,
)
from artlock.formats.imports.yaml import read_yaml
from artlock.model.imports import PinnedObject, Pins
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri

_VERSIONED = (
    "make the pins with `dvc import-url --version-aware`, or declare the place with "
    "`artlock add URI`"
)
_NO_HASHES = frozenset({"path", "desc", "remote", "type", "labels", "meta"})
"""What an output or dependency has beside hashes, whose names depend on the place."""
_REMOTE = "give the URL of the DVC remote with `--base`"


def read_dvc(content: str, name: str, base: str | None, *, folder: str = "") -> Pins:
    """Read a file.

    Args:
        content: Its text.
        name: What it is called in messages.
        base: URL of the remote, for outputs that were pushed.
        folder: Where the file lies, from the top of DVC's repository.

    Raises:
        ConfigError: It is damaged, or what it pins cannot be had without DVC.
    """
    document = mapping(read_yaml(content, name), f"`{name}`")
    out = _only(document.get("outs"), f"`{name}`: outs")
    at = f"`{name}`: outs[0].path"
    place = text(out.get("path"), at)
    if "://" in place:
        refuse(at, "is not in the repository", hint=_VERSIONED)
    wdir = text(document.get("wdir", "."), f"`{name}`: wdir")
    place = normpath(join(wdir, place))
    if document.get("deps") is None:
        return _pushed(out, place, name, base, folder)
    return _imported(_only(document["deps"], f"`{name}`: deps"), out, place, name, wdir)


def _only(value: object, place: str) -> dict[str, object]:
    if not isinstance(value, list) or len(value) != 1:
        refuse(place, "is not a list of one", hint="name a `.dvc` file, not `dvc.yaml`")
    return mapping(value[0], f"{place}[0]")


def _imported(
    dep: dict[str, object], out: dict[str, object], place: str, name: str, wdir: str
) -> Pins:
    where = f"`{name}`: deps[0]"
    if "repo" in dep:
        refuse(where, "imports from another DVC repository", hint=_VERSIONED)
    uri = uri_of(text(dep.get("path"), f"{where}.path"), f"{where}.path")
    if uri.is_relative:
        uri = uri_of(normpath(join(wdir, uri.key)), f"{where}.path")
    files = dep.get("files")
    if files is None:
        _refuse_directory(dep, where)
        _refuse_directory(out, f"`{name}`: outs[0]")
        # The output's digest is that of these bytes, but before DVC 3 line ends were
        # changed first.
        is_same = out.get("hash") == "md5" and out.get("size") == dep.get("size")
        digest = out.get("md5") if is_same else None
        return Pins(
            objects=(
                PinnedObject(
                    path=uri.file_name,
                    uri=uri,
                    size=size_of(dep.get("size"), f"{where}.size"),
                    tokens=_tokens(digest, dep.get("etag"), where),
                    version=version_of(dep.get("version_id"), uri, f"{where}.version_id"),
                ),
            ),
            place=place,
        )
    root = uri.as_tree()
    objects = []
    for entry, at in _entries(files, f"{where}.files"):
        path = text(entry.get("relpath"), f"{at}.relpath")
        objects.append(
            PinnedObject(
                path=path,
                uri=root.child(path),
                size=size_of(entry.get("size"), f"{at}.size"),
                tokens=_tokens(None, entry.get("etag"), at),
                version=version_of(entry.get("version_id"), root, f"{at}.version_id"),
            )
        )
    return Pins(objects=tuple(objects), is_whole=True, place=place)


def _pushed(
    out: dict[str, object], place: str, name: str, base: str | None, folder: str
) -> Pins:
    where = f"`{name}`: outs[0]"
    files = out.get("files")
    if files is None:
        _refuse_directory(out, where)
        _refuse_directory(_cloud_of(out, where), where)
    if base is None:
        refuse(where, "does not say where its remote is", hint=_REMOTE)
    root = uri_of(base, "`--base`").as_tree()
    key = normpath(join(folder, place))
    if key.startswith(("/", "../")) or key in {".", ".."}:
        refuse(f"{where}.path", "is not in the repository", hint=_VERSIONED)
    is_raw = out.get("hash") == "md5"  # before DVC 3 line ends were changed first
    if files is None:
        # A file is called as it is, whatever folders are above it.
        path = key.rpartition("/")[2]
        alone = _in_cloud(out, root.child(key), path, where, is_raw=is_raw)
        return Pins(objects=(alone,), place=place)
    tree = root.child(key).as_tree()
    objects = []
    for entry, at in _entries(files, f"{where}.files"):
        path = text(entry.get("relpath"), f"{at}.relpath")
        objects.append(_in_cloud(entry, tree.child(path), path, at, is_raw=is_raw))
    return Pins(objects=tuple(objects), is_whole=True, place=place)


def _in_cloud(
    entry: dict[str, object], uri: Uri, path: str, where: str, *, is_raw: bool
) -> PinnedObject:
    cloud = _cloud_of(entry, where)
    return PinnedObject(
        path=path,
        uri=uri,
        size=size_of(entry.get("size"), f"{where}.size"),
        tokens=_tokens(entry.get("md5") if is_raw else None, cloud.get("etag"), where),
        version=version_of(cloud.get("version_id"), uri, f"{where}.cloud.version_id"),
    )


def _cloud_of(entry: dict[str, object], where: str) -> dict[str, object]:
    clouds = mapping(entry.get("cloud") or {}, f"{where}.cloud")
    if len(clouds) != 1:
        refuse(where, "has no version in a remote, only a digest", hint=_VERSIONED)
    return mapping(next(iter(clouds.values())), f"{where}.cloud")


def _entries(value: object, place: str) -> list[tuple[dict[str, object], str]]:
    if not isinstance(value, list) or not value:
        refuse(place, "is not a list of files")
    return [
        (mapping(entry, f"{place}[{number}]"), f"{place}[{number}]")
        for number, entry in enumerate(value)
    ]


def _refuse_directory(entry: dict[str, object], where: str) -> None:
    hashes = (value for key, value in entry.items() if key not in _NO_HASHES)
    if "nfiles" in entry or any(str(value).endswith(".dir") for value in hashes):
        problem = "is a folder of which only a digest is in git; its list is in DVC's cache"
        refuse(where, problem, hint=_VERSIONED)


def _tokens(digest: object, etag: object, where: str) -> Tokens:
    return Tokens(
        checksums=() if digest is None else md5(hex_of(digest, "md5", f"{where}.md5")),
        etag=etag_of(etag, f"{where}.etag"),
    )
