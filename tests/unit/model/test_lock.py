import pytest
from blake3 import blake3
from msgspec.structs import replace

from artlock.model.lock import (
    Kind,
    LockedArtifact,
    LockedObject,
    Lockfile,
    content_digest,
    pin_digest,
)
from artlock.model.manifest import (
    Access,
    Artifact,
    ChecksumPolicy,
    Declaration,
    Manifest,
    problem_with_name,
)
from artlock.model.tokens import Trust
from artlock.model.uri import Uri

STRONG = "blake3:" + "3f" * 32
WEAK = "md5:" + "0" * 32


def artifact(
    uri: str, kind: Kind = Kind.TREE, *rows: LockedObject, name: str = "a"
) -> LockedArtifact:
    declared = Declaration(uri=Uri.parse(uri))
    return LockedArtifact(name=name, declared=declared, kind=kind, objects=rows)


def row(
    path: str, checksum: str = STRONG, *, size: int = 1, version: str = "v"
) -> LockedObject:
    return LockedObject(path, size, checksum, version)


def test_a_row_knows_its_tokens_and_trust() -> None:
    assert str(row("x").tokens) == STRONG
    assert row("x").trust is Trust.STRONG
    assert row("x", WEAK).trust is Trust.STORE


@pytest.mark.parametrize(
    ("uri", "kind", "root"),
    [
        ("s3://b/t", Kind.TREE, "s3://b/t/"),
        ("s3://b/t/", Kind.TREE, "s3://b/t/"),
        ("s3://b/t", Kind.FILE, "s3://b/t"),
        ("labelbox://project/42", Kind.LINK, "labelbox://project/42"),
    ],
)
def test_the_root_differs_from_the_uri_by_a_slash_at_most(
    uri: str, kind: Kind, root: str
) -> None:
    assert str(artifact(uri, kind).root) == root


def test_every_row_has_the_uri_of_its_object() -> None:
    tree = artifact("s3://b/t", Kind.TREE, row("a/b"), row("x y"))
    tree = replace(tree, declared=replace(tree.declared, rename=(("a//b", "a/b"),)))
    uris = [str(uri) for _, uri in tree.uris()]
    assert uris == ["s3://b/t/a//b", "s3://b/t/x y"]
    assert [str(tree.uri_of(r)) for r in tree.objects] == uris
    folder = artifact("file:///mnt/t/", Kind.TREE, row("x y"))
    assert str(folder.uri_of(folder.objects[0])) == "file:///mnt/t/x%20y"
    file = artifact("https://h.example/k?v=1", Kind.FILE, row("k"))
    assert [str(uri) for _, uri in file.uris()] == ["https://h.example/k?v=1"]
    assert str(file.uri_of(file.objects[0])) == "https://h.example/k?v=1"


def test_sizes_and_counts_are_computed() -> None:
    lock = Lockfile(
        artifacts=(
            artifact("s3://b/t/", Kind.TREE, row("x", size=5), row("y", size=7)),
            artifact("s3://b/k", Kind.FILE, row("k", size=1), name="b"),
        )
    )
    assert (lock.size, lock.count()) == (13, 3)
    assert lock.get("b") == lock.artifacts[1]
    assert lock.get("c") is None


DECLARED = Declaration(uri=Uri.parse("s3://b/t/"), include=("x",))


@pytest.mark.parametrize(
    ("declared", "link", "link_if_denied", "kind", "answers"),
    [
        (DECLARED, False, False, Kind.TREE, True),
        (DECLARED, False, True, Kind.TREE, True),
        (DECLARED, True, False, Kind.TREE, False),
        (DECLARED, True, False, Kind.LINK, True),
        (DECLARED, False, True, Kind.LINK, True),
        (DECLARED, False, False, Kind.LINK, False),
        (replace(DECLARED, include=("y",)), False, False, Kind.TREE, False),
        (replace(DECLARED, include=()), False, False, Kind.TREE, False),
        (replace(DECLARED, exclude=("y",)), False, False, Kind.TREE, False),
        (replace(DECLARED, version="v"), False, False, Kind.TREE, False),
        (replace(DECLARED, as_of="2026-05-01T00:00:00Z"), False, False, Kind.TREE, False),
        (replace(DECLARED, checksum=ChecksumPolicy.BLAKE3), False, False, Kind.TREE, False),
        (replace(DECLARED, rename=(("x", "y"),)), False, False, Kind.TREE, False),
        (replace(DECLARED, portable=False), False, False, Kind.TREE, False),
        (replace(DECLARED, uri=Uri.parse("s3://b/t")), False, False, Kind.TREE, False),
    ],
)
def test_5_1_a_lockfile_answers_the_declaration_it_was_made_for(
    *, declared: Declaration, link: bool, link_if_denied: bool, kind: Kind, answers: bool
) -> None:
    locked = LockedArtifact(name="a", declared=DECLARED, kind=kind)
    wanted = Artifact(name="a", declared=declared, link=link, link_if_denied=link_if_denied)
    assert locked.answers(wanted) is answers


def test_where_files_land_does_not_make_a_lockfile_stale() -> None:
    locked = LockedArtifact(name="a", declared=DECLARED, kind=Kind.TREE)
    wanted = Artifact(name="a", declared=DECLARED, path="elsewhere", groups=("g",))
    assert locked.answers(wanted)


def test_an_unknown_scheme_is_always_a_link() -> None:
    locked = artifact("labelbox://project/42", Kind.LINK)
    assert locked.answers(Artifact(name="a", declared=locked.declared))


def test_the_content_digest_is_over_its_lines() -> None:
    lock = Lockfile(
        artifacts=(
            artifact("s3://b/t/", Kind.TREE, row("x", f"{STRONG} {WEAK}", size=5)),
            artifact("labelbox://p", Kind.LINK, name="b"),
        )
    )
    text = f"{STRONG} 5 a/x\n"
    assert content_digest(lock) == f"blake3:{blake3(text.encode()).hexdigest()}"


def test_the_content_digest_is_free_of_places_and_versions() -> None:
    here = Lockfile(artifacts=(artifact("s3://b/t/", Kind.TREE, row("x")),))
    there = Lockfile(
        artifacts=(
            artifact("gs://c/u/", Kind.TREE, row("x", f"{STRONG} {WEAK}", version="w")),
        )
    )
    assert content_digest(here) == content_digest(there)
    assert pin_digest(here) != pin_digest(there)


def test_digests_do_not_depend_on_the_order_of_artifacts_and_rows() -> None:
    one = artifact("s3://b/t/", Kind.TREE, row("x"), row("y"), name="a")
    two = artifact("s3://b/u/", Kind.TREE, row("z"), name="b")
    turned = replace(one, objects=one.objects[::-1])
    for digest in (content_digest, pin_digest):
        expected = digest(Lockfile(artifacts=(one, two)))
        assert digest(Lockfile(artifacts=(two, one))) == expected
        assert digest(Lockfile(artifacts=(turned, two))) == expected


def test_there_is_no_content_digest_unless_all_rows_are_strong() -> None:
    rows = (row("x"), row("y", WEAK))
    assert (
        content_digest(Lockfile(artifacts=(artifact("s3://b/t/", Kind.TREE, *rows),)))
        is None
    )


def test_the_pin_digest_is_over_its_lines() -> None:
    lock = Lockfile(
        artifacts=(
            artifact("labelbox://p", Kind.LINK, name="l"),
            artifact("s3://b/t", Kind.TREE, row("x", WEAK, size=5), name="t"),
        )
    )
    text = f"l\tlabelbox://p\ns3://b/t/x\tt/x\t5\t{WEAK}\tv\n"
    assert pin_digest(lock) == f"blake3:{blake3(text.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("path", "is_file", "folder", "target"),
    [
        (None, False, "data/a", "data/a/x"),
        (None, True, "data/a", "data/a/x"),
        ("m", False, "m", "m/x"),
        ("m/", False, "m", "m/x"),
        ("m/", True, "m", "m/x"),
        ("m/y.bin", True, "m/y.bin", "m/y.bin"),
    ],
)
def test_a_path_names_the_folder_or_the_single_file(
    *, path: str | None, is_file: bool, folder: str, target: str
) -> None:
    wanted = Artifact(name="a", declared=DECLARED, path=path)
    assert wanted.folder == folder
    assert wanted.target("x", is_file=is_file) == target


def test_an_artifact_says_whether_it_is_a_link() -> None:
    link = Declaration(uri=Uri.parse("labelbox://p"))
    assert Artifact(name="a", declared=link).is_link
    assert Artifact(name="a", declared=DECLARED, link=True).is_link
    assert not Artifact(name="a", declared=DECLARED, link_if_denied=True).is_link
    assert Artifact(name="a", declared=DECLARED).uri == DECLARED.uri


def test_an_artifact_of_a_manifest_is_found_by_name() -> None:
    one = Artifact(name="a", declared=DECLARED)
    assert Manifest(artifacts=(one,)).get("a") == one
    assert Manifest().get("a") is None


def test_5_4_settings_that_need_trust_are_listed() -> None:
    assert Access(region="eu-west-1", anonymous=True).sensitive() == ()
    access = Access(
        endpoint="http://e",
        profile="p",
        role_arn="r",
        user_project="u",
        headers=(("A", "1"),),
        ca_bundle="c",
        requester_pays=True,
    )
    assert access.sensitive() == (
        ("endpoint", "http://e"),
        ("profile", "p"),
        ("role-arn", "r"),
        ("user-project", "u"),
        ("ca-bundle", "c"),
        ("requester-pays", "true"),
        ("headers.A", "1"),
    )


@pytest.mark.parametrize("name", ["a", "0", "my-model", "a.b_c-d", "1.0"])
def test_good_names(name: str) -> None:
    assert problem_with_name(name) is None


@pytest.mark.parametrize(
    "name", ["", "A", "-a", ".a", "_a", "a b", "a/b", "é", "a\n", "a:b"]
)
def test_bad_names(name: str) -> None:
    assert problem_with_name(name) is not None
