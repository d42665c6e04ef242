"""Values for property tests, the nasty ones included."""

from hashlib import blake2b
from urllib.parse import quote

from hypothesis import strategies as st
from msgspec.structs import replace

from artlock.model.digest import (
    HEX_LENGTHS,
    Checksum,
    ChecksumAlgorithm,
    Digest,
    DigestAlgorithm,
)
from artlock.model.lock import MAX_SIZE, Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import (
    Access,
    Artifact,
    ChecksumPolicy,
    Declaration,
    Manifest,
    Policy,
)
from artlock.model.paths import collisions, problem_with
from artlock.model.tokens import Tokens, Trust
from artlock.model.uri import Uri

NASTY_NAMES = (
    *("a", "A", "b", "B", "c", "dir", "Dir", "file.txt", "e\u0301", "\u00e9", "\u00c9"),
    *("", ".", "..", "...", ".git", ".GIT", "git~1", ".g\u200cit", ".git ", ".git::x"),
    *("con", "CON.txt", "com\u00b9", "nul ", "trail.", "trail ", " lead", "c:", "c:x"),
    *("artifacts.toml", "ARTIFACTS.LOCK", ".artlock", ".artlock-x", ".envrc", ".github"),
    *("tab\t", "nl\n", "cr\r", "nul\0", "del\x7f", "\x85", "\u2028", "\u202ertl"),
    *("back\\slash", "\u212a", "k", "\u017f", "s", "ß", "ss", "ﬁ", "fi", "x" * 300),
    *("\u0345\u0301", "ά", "#", "?", "%2e", "+", 'quo"te', "sp ace", "😀", "-", "~"),
)


def digests() -> st.SearchStrategy[Digest]:
    return st.builds(
        lambda algorithm, seed: Digest(algorithm, _hex(algorithm, seed)),
        st.sampled_from(DigestAlgorithm),
        st.integers(0, 2**32),
    )


def checksums() -> st.SearchStrategy[Checksum]:
    return st.builds(
        lambda algorithm, seed: Checksum(algorithm, _hex(algorithm, seed)),
        st.sampled_from(ChecksumAlgorithm),
        st.integers(0, 2**32),
    )


def _hex(algorithm: str, seed: int) -> str:
    return blake2b(str(seed).encode(), digest_size=HEX_LENGTHS[algorithm] // 2).hexdigest()


def etags() -> st.SearchStrategy[str]:
    """Etags without quotes, as stores give them: hex, multipart, weak, or any text."""
    digits = st.text("0123456789abcdef", min_size=32, max_size=32)
    anything = st.text(
        st.characters(
            min_codepoint=0x20, exclude_characters='"\x7f', exclude_categories=["Cs"]
        ),
        min_size=1,
        max_size=20,
    )
    return st.one_of(
        digits,
        st.builds("{}-{}".format, digits, st.integers(1, 10_000)),
        st.builds("W/{}".format, anything),
        anything,
    )


def tokens() -> st.SearchStrategy[Tokens]:
    unknown = st.from_regex(r"x[a-z0-9-]{0,10}:[A-Za-z0-9+/=_.~%-]{1,20}", fullmatch=True)
    return st.builds(
        lambda d, c, u, e: Tokens(
            digests=tuple(
                sorted(d, key=lambda x: list(DigestAlgorithm).index(x.algorithm))
            ),
            checksums=tuple(
                sorted(c, key=lambda x: list(ChecksumAlgorithm).index(x.algorithm))
            ),
            unknown=tuple(sorted(u)),
            etag=e,
        ),
        st.lists(digests(), unique_by=lambda d: d.algorithm, max_size=3),
        st.lists(checksums(), unique_by=lambda c: c.algorithm, max_size=3),
        st.lists(unknown, unique_by=lambda t: t.partition(":")[0], max_size=2),
        st.none() | etags(),
    )


def nasty_paths() -> st.SearchStrategy[str]:
    """Keys as stores may have them; most of them must be refused."""
    name = st.one_of(st.sampled_from(NASTY_NAMES), st.text(max_size=6))
    return st.lists(name, max_size=4).map("/".join)


def safe_paths() -> st.SearchStrategy[str]:
    plain = st.text("abcXYZ019_-.=+ ", min_size=1, max_size=6)
    name = st.one_of(plain, st.sampled_from(NASTY_NAMES), st.text(min_size=1, max_size=5))
    return (
        st.lists(name, min_size=1, max_size=4)
        .map("/".join)
        .filter(lambda path: problem_with(path) is None)
    )


def keys() -> st.SearchStrategy[str]:
    """Literal keys of buckets that can be declared."""
    key = st.lists(st.text("abc#?&=%. +é", min_size=1, max_size=5), max_size=3).map(
        "/".join
    )
    return key.filter(_is_declarable)


def _is_declarable(key: str) -> bool:
    try:
        Uri.parse(f"s3://bucket/{key}")
    except ValueError:
        return False
    return True


def uris() -> st.SearchStrategy[Uri]:
    slash = st.sampled_from(["", "/"])
    plain = st.lists(
        st.text("abc +é#%", min_size=1, max_size=5), min_size=1, max_size=3
    ).map("/".join)
    return st.one_of(
        st.builds("s3://bucket-{}/{}{}".format, st.integers(0, 9), keys(), slash),
        st.builds("gs://b.example/{}{}".format, keys(), slash),
        st.builds(
            lambda scheme, path, query: (
                f"{scheme}://host.example:8443/{quote(path)}{query}"
            ),
            st.sampled_from(["http", "https"]),
            plain,
            st.sampled_from(["", "?v=1", "?download=1&x=%ff"]),
        ),
        st.builds(lambda path, end: f"file:///{quote(path)}{end}", plain, slash),
        st.builds(lambda path, end: f"raw/{path}{end}", plain, slash),
        st.sampled_from(["doi:10.5281/zenodo.1", "labelbox://project/42", "x-y://", "ab:"]),
    ).map(Uri.parse)


def names() -> st.SearchStrategy[str]:
    return st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)


def versions() -> st.SearchStrategy[str]:
    return st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'),
        max_size=12,
    ).filter(lambda version: version != "null")


def rows(path: str) -> st.SearchStrategy[LockedObject]:
    return st.builds(
        LockedObject,
        st.just(path),
        st.integers(0, MAX_SIZE),
        tokens().map(str),
        versions(),
    )


def extras() -> st.SearchStrategy[tuple[tuple[str, object], ...]]:
    """Keys that a later version may have put into a head."""
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    scalars = st.one_of(texts, st.booleans(), st.integers(-(2**63), 2**63 - 1))
    values = st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)
        ),
        max_leaves=5,
    )
    keys_ = texts.map(lambda text: f"x{text}")
    return st.dictionaries(keys_, values, max_size=2).map(
        lambda d: tuple(sorted(d.items()))
    )


def declarations(uri: Uri) -> st.SearchStrategy[Declaration]:
    # Not the class itself: hypothesis would look for types that are there for mypy alone.
    return st.builds(
        lambda **fields: Declaration(**fields),  # noqa: PLW0108 - see above
        uri=st.just(uri),
        include=st.sampled_from([(), ("**",)]),
        exclude=st.sampled_from([(), ("no/such/**", "[!a]nothing/**/*.x")]),
        as_of=st.sampled_from([None, "2026-05-01T00:00:00Z"]),
        checksum=st.sampled_from(ChecksumPolicy),
        portable=st.booleans(),
    )


@st.composite
def locked_artifacts(draw: st.DrawFn, name: str) -> LockedArtifact:
    booleans = st.booleans()
    uri = draw(uris())
    declared = draw(declarations(uri))
    extra = draw(extras())
    file_name = "" if uri.is_link else uri.file_name
    kinds = [Kind.LINK]
    if not uri.is_link and uri.scheme not in {"http", "https"}:
        kinds.append(Kind.TREE)
    if file_name and problem_with(file_name) is None:
        kinds.append(Kind.FILE)
    kind = draw(st.sampled_from(kinds))
    objects: tuple[LockedObject, ...] = ()
    if kind is Kind.FILE:
        objects = (draw(rows(file_name)),)
        if draw(booleans):
            declared = replace(declared, version="v1")
            row = objects[0]
            objects = (LockedObject(row.path, row.size, row.checksum, "v1"),)
    elif kind is Kind.TREE:
        paths: list[str] = draw(st.lists(safe_paths(), max_size=5, unique=True))
        refused = {path for pair in collisions(paths) for path in pair}
        kept = sorted(set(paths) - refused)
        objects = tuple(draw(rows(path)) for path in kept)
        if draw(booleans) and kept:
            declared = replace(declared, rename=(("some//key", kept[0]),))
    return LockedArtifact(
        name=name, declared=declared, kind=kind, objects=objects, extra=extra
    )


@st.composite
def lockfiles(draw: st.DrawFn) -> Lockfile:
    """Lockfiles that may be written and read; sorted, as readers give them."""
    chosen = sorted(draw(st.lists(names(), unique=True, max_size=4)))
    return Lockfile(
        artifacts=tuple(draw(locked_artifacts(name)) for name in chosen),
        revision=draw(st.integers(0, 3)),
        extra=draw(extras()),
    )


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    chosen = sorted(draw(st.lists(names(), unique=True, max_size=4)))
    artifacts = []
    for name in chosen:
        uri = draw(uris())
        artifacts.append(
            Artifact(
                name=name,
                declared=draw(declarations(uri)),
                path=draw(st.none() | st.just(f"places/{name}")),
                groups=tuple(draw(st.lists(names(), unique=True, max_size=2))),
                link=draw(st.booleans()),
                link_if_denied=draw(st.booleans()),
                access=Access(anonymous=draw(st.booleans())),
            )
        )
    return Manifest(
        artifacts=tuple(artifacts),
        name=draw(st.none() | names()),
        policy=Policy(
            require=draw(st.sampled_from(Trust)), require_version_ids=draw(st.booleans())
        ),
    )
