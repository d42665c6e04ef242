"""Locks and registrations for tests of trackers."""

from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.registration import (
    Labels,
    Provenance,
    Registration,
    Run,
    lock_digest,
)
from artlock.model.uri import Uri

PROVENANCE = Provenance(
    time="2026-11-26T21:00:00Z",
    commit="5fcb1a3e9d2c4b6a8f7e0d1c2b3a495867768594",
    remote="https://git.example/team/data",
    author="Ada <ada@example.org>",
)
DIGEST_OF_A = "blake3:17762fddd969a453925d65717ac3eea21320b66b54342fde15128d6caf21215f"
ODD_PATHS = (
    "hash#1.txt",
    "question?x=1",
    "per cent%20/and%2Fso on",
    "quote'\".json",
    "caf\u00e9/\U0001f600",
    "deep/" + "x" * 200,
)


def row(
    path: str, size: int = 1, *, tokens: str = DIGEST_OF_A, version: str = ""
) -> LockedObject:
    return LockedObject(path, size, tokens, version)


def tree(
    name: str,
    *rows: LockedObject,
    uri: str | None = None,
    declared: Declaration | None = None,
) -> LockedArtifact:
    declared = declared or Declaration(uri=Uri.parse(uri or f"s3://bucket/{name}/"))
    return LockedArtifact(name=name, declared=declared, kind=Kind.TREE, objects=rows)


def odd_tree(name: str) -> LockedArtifact:
    """Return an artifact with paths that URLs and shells would take apart."""
    declared = Declaration(uri=Uri.parse(f"s3://bucket/{name}/"), portable=False)
    paths = sorted(ODD_PATHS, key=str.encode)
    return tree(name, *(row(path) for path in paths), declared=declared)


def lockfile(*artifacts: LockedArtifact) -> Lockfile:
    """Return a lockfile as artlock would read it back."""
    return parse_lockfile(format_lockfile(Lockfile(artifacts=artifacts)))


def simple_lock(version: str = "v-1") -> Lockfile:
    """Return a lockfile of every kind of artifact; another one for another ``version``."""
    board = Declaration(uri=Uri.parse("labelbox://project/42"))
    model = Declaration(uri=Uri.parse("gs://models/encoder.bin"))
    chosen = Declaration(
        uri=Uri.parse("s3://bucket/val/"),
        include=("**/*.txt",),
        rename=(("A#.txt", "a.txt"),),
        portable=False,
    )
    return lockfile(
        LockedArtifact(name="board", declared=board, kind=Kind.LINK),
        LockedArtifact(
            name="encoder",
            declared=model,
            kind=Kind.FILE,
            objects=(
                row("encoder.bin", 5, tokens="crc32c:9a71bb4c", version="1718040471128541"),
            ),
        ),
        odd_tree("odd"),
        tree(
            "val",
            row(
                "a.txt",
                2,
                tokens=f"{DIGEST_OF_A} etag:6654c734ccab8f440ff0825eb443dc7f",
                version=version,
            ),
            row("b.txt", 4, tokens="etag:919c8b643b7133116b02fc0d9bb7df3f"),
            declared=chosen,
        ),
    )


def registration(
    lock: Lockfile,
    name: str = "data",
    *,
    labels: Labels | None = None,
    run: Run | None = None,
    each: bool = False,
    provenance: Provenance = PROVENANCE,
) -> Registration:
    text = format_lockfile(lock)
    return Registration(
        name=name,
        digest=lock_digest(text),
        lock=lock,
        text=text,
        each=each,
        trust=lock.trust,
        provenance=provenance,
        labels=labels or Labels(),
        run=run,
    )


def text_of(lock: bytes | Lockfile) -> bytes:
    """Return the text of what a tracker gave back, in either form."""
    return lock if isinstance(lock, bytes) else format_lockfile(lock)
