"""Exports as values, for tests of what is written of them."""

from artlock.model.exports import Export, ExportedArtifact, ExportedFile
from artlock.model.lock import Kind, LockedObject
from artlock.model.manifest import Access
from artlock.model.uri import Uri

B3 = "blake3:" + "3f" * 32
SHA256 = "sha256:" + "ab" * 32
SHA512 = "sha512:" + "cd" * 64
MD5 = "md5:" + "0e" * 16


def file(
    uri: str, checksum: str = SHA256, version: str = "", path: str = "", size: int = 3
) -> ExportedFile:
    parsed = Uri.parse(uri)
    path = path or parsed.file_name
    return ExportedFile(
        f"data/x/{path}", parsed, LockedObject(path, size, checksum, version)
    )


def artifact(
    *files: ExportedFile,
    name: str = "x",
    access: Access | None = None,
    headers: tuple[str, ...] = (),
) -> ExportedArtifact:
    return ExportedArtifact(
        name=name,
        kind=Kind.TREE if files else Kind.LINK,
        uri=files[0].uri if files else Uri.parse("labelbox://p"),
        files=files,
        access=access or Access(),
        headers=headers,
    )


def export(*artifacts: ExportedArtifact) -> Export:
    return Export(name="project", pin="blake3:" + "00" * 32, artifacts=artifacts)


def of(*files: ExportedFile, access: Access | None = None) -> Export:
    return export(artifact(*files, access=access))
