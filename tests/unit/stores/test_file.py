"""What files have and buckets have not: links, odd kinds, odd names, changes under way."""

import errno
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artlock.errors import (
    AccessDeniedError,
    ObjectNotFoundError,
    PolicyError,
    StoreError,
    StoreUnavailableError,
)
from artlock.model.objects import VersionId
from artlock.model.uri import Uri
from artlock.stores import file as file_module
from artlock.stores.base import Pin, Span, StoreContext
from artlock.stores.file import FileStore, _translate

LARGE = bytes(range(256)) * 4096 * 3


class Tree:
    """A folder ``tree`` beside a file ``secret``, and a store that was given the folder."""

    def __init__(self, base: Path) -> None:
        self.folder = base / "tree"
        self.folder.mkdir()
        (base / "secret").write_bytes(b"secret")
        self.root = Uri.parse(f"{self.folder}/")
        self.notices: list[str] = []
        self.store = self.open(self.root)

    def open(self, declared: Uri) -> FileStore:
        return FileStore(declared, StoreContext(notice=self.notices.append))

    def scan(self) -> dict[str | None, int | None]:
        return {self.root.relative(o.uri): o.size for o in self.store.scan(self.root)}

    def read(self, path: str, *, size: int | None = None) -> bytes:
        pin = Pin(uri=self.root.child(path), size=size)
        return b"".join(bytes(chunk) for chunk in self.store.read(pin))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def link_out(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "secret")


def link_up(folder: Path) -> None:
    (folder / "link").symlink_to("../secret")


def link_to_nothing(folder: Path) -> None:
    (folder / "link").symlink_to("nothing")


def link_to_itself(folder: Path) -> None:
    (folder / "link").symlink_to("link")


def link_to_folder(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "link").symlink_to("below")


def link_to_folder_outside(folder: Path) -> None:
    (folder / "link").symlink_to("/")


@pytest.mark.parametrize(
    "make",
    [
        link_out,
        link_up,
        link_to_nothing,
        link_to_itself,
        link_to_folder,
        link_to_folder_outside,
    ],
)
def test_1_51_a_link_that_leads_elsewhere_is_listed_and_refused(
    tree: Tree, make: Callable[[Path], None]
) -> None:
    make(tree.folder)
    assert tree.scan() == {"link": None}
    with pytest.raises(PolicyError) as caught:
        tree.read("link")
    assert "exclude" in str(caught.value.hint)
    with pytest.raises(PolicyError):
        tree.store.head(tree.root.child("link"))


def test_1_51_a_link_to_a_folder_is_told_even_if_patterns_hide_it(tree: Tree) -> None:
    link_to_folder(tree.folder)
    tree.scan()
    assert len(tree.notices) == 1
    assert "link" in tree.notices[0]


def test_1_51_nothing_is_read_through_a_link_to_a_folder(tree: Tree) -> None:
    link_to_folder(tree.folder)
    (tree.folder / "below" / "f").write_bytes(b"1")
    with pytest.raises(PolicyError):
        tree.read("link/f")
    (tree.folder / "away").symlink_to(tree.folder.parent)
    with pytest.raises(PolicyError):
        tree.read("away/secret")
    with pytest.raises(PolicyError):
        list(tree.store.scan(tree.root.child("away/")))


def test_1_51_dots_do_not_lead_out(tree: Tree) -> None:
    with pytest.raises(PolicyError):
        tree.read("../secret")
    with pytest.raises(PolicyError):
        tree.read("..")


def test_1_51_another_path_than_the_declared_one_is_refused(tree: Tree) -> None:
    store = tree.open(tree.root)
    with pytest.raises(PolicyError):
        store.head(Uri.parse(str(tree.folder.parent / "secret")))
    with pytest.raises(PolicyError):
        store.head(Uri.parse(str(tree.folder) + "-sibling"))


def test_a_link_to_a_file_of_the_tree_is_that_file(tree: Tree) -> None:
    (tree.folder / "deep").mkdir()
    (tree.folder / "deep" / "real").write_bytes(b"1234")
    (tree.folder / "relative").symlink_to("deep/real")
    (tree.folder / "absolute").symlink_to(tree.folder / "deep" / "real")
    (tree.folder / "twice").symlink_to("relative")
    sizes = {"deep/real": 4, "relative": 4, "absolute": 4, "twice": 4}
    assert tree.scan() == sizes
    for path in sizes:
        assert tree.read(path, size=4) == b"1234"


def test_the_declared_path_may_be_a_link(tree: Tree, tmp_path: Path) -> None:
    (tree.folder / "f").write_bytes(b"1")
    (tmp_path / "chosen").symlink_to("tree")
    root = Uri.parse(f"{tmp_path}/chosen/")
    store = tree.open(root)
    (info,) = store.scan(root)
    assert info.uri == root.child("f")
    assert b"".join(map(bytes, store.read(Pin(uri=info.uri, size=1)))) == b"1"
    link_out(tree.folder)
    with pytest.raises(PolicyError):
        store.head(root.child("link"))


def test_a_declared_file_may_be_a_link(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "chosen").symlink_to("secret")
    uri = Uri.parse(f"{tmp_path}/chosen")
    store = tree.open(uri)
    assert store.head(uri).size == 6
    assert b"".join(map(bytes, store.read(Pin(uri=uri, size=6)))) == b"secret"


def test_a_folder_is_no_file(tree: Tree) -> None:
    (tree.folder / "d").mkdir()
    with pytest.raises(ObjectNotFoundError):
        tree.store.head(tree.root.child("d"))
    with pytest.raises(ObjectNotFoundError):
        tree.open(Uri.parse(str(tree.folder))).head(Uri.parse(str(tree.folder)))


def test_a_file_is_no_folder(tree: Tree) -> None:
    (tree.folder / "f").write_bytes(b"1")
    with pytest.raises(ObjectNotFoundError):
        list(tree.store.scan(tree.root.child("f/")))
    with pytest.raises(ObjectNotFoundError):
        tree.read("f/g")


def test_a_folder_that_is_not_there_is_no_empty_tree(tree: Tree) -> None:
    tree.folder.rmdir()
    with pytest.raises(ObjectNotFoundError) as caught:
        tree.scan()
    assert "mounted" in str(caught.value.hint)


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_regular_file_is_told_and_never_waited_for(
    tree: Tree, kind: str
) -> None:
    odd = tree.folder / "odd"
    if kind == "fifo":
        os.mkfifo(odd)
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(odd))
    assert tree.scan() == {}
    assert len(tree.notices) == 1
    with pytest.raises(StoreError):
        tree.read("odd")
    (tree.folder / "link").symlink_to("odd")
    with pytest.raises(StoreError):
        tree.read("link")


def test_2_10_a_name_that_is_not_utf_8_is_refused(tree: Tree) -> None:
    (Path(os.fsdecode(os.fsencode(tree.folder) + b"/a\xff"))).write_bytes(b"1")
    with pytest.raises(StoreError) as caught:
        tree.scan()
    assert r"a\xff" in caught.value.message
    str(caught.value).encode()


def test_a_nul_in_a_path_is_refused(tree: Tree) -> None:
    with pytest.raises(StoreError):
        tree.read("a\0b")


def test_a_name_that_is_too_long_is_refused(tree: Tree) -> None:
    with pytest.raises(StoreError):
        tree.read("x" * 300)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_denied(tree: Tree) -> None:
    file = tree.folder / "f"
    file.write_bytes(b"1")
    file.chmod(0)
    with pytest.raises(AccessDeniedError):
        tree.read("f")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, AccessDeniedError),
        (errno.EPERM, AccessDeniedError),
        (errno.ESTALE, StoreUnavailableError),
        (errno.EIO, StoreUnavailableError),
        (errno.ETIMEDOUT, StoreUnavailableError),
        (errno.ENOTDIR, ObjectNotFoundError),
        (errno.ELOOP, PolicyError),
        (errno.ENAMETOOLONG, StoreError),
    ],
)
def test_what_the_system_says_is_told_apart(number: int, kind: type) -> None:
    error = _translate(OSError(number, os.strerror(number)), Uri.parse("/a/b"))
    assert type(error) is kind


def test_a_file_that_grows_while_it_is_read_is_unavailable(tree: Tree) -> None:
    file = tree.folder / "f"
    file.write_bytes(LARGE)
    chunks = tree.store.read(Pin(uri=tree.root.child("f"), size=len(LARGE)))
    next(chunks)
    with file.open("ab") as end:
        end.write(b"more")
    with pytest.raises(StoreUnavailableError):
        list(chunks)


def test_a_file_that_is_cut_while_it_is_read_is_unavailable(tree: Tree) -> None:
    file = tree.folder / "f"
    file.write_bytes(LARGE)
    chunks = tree.store.read(Pin(uri=tree.root.child("f"), size=len(LARGE)))
    next(chunks)
    os.truncate(file, 100)
    with pytest.raises(StoreUnavailableError):
        list(chunks)


def test_a_file_that_is_changed_in_place_while_it_is_read_is_unavailable(
    tree: Tree,
) -> None:
    file = tree.folder / "f"
    file.write_bytes(LARGE)
    os.utime(file, ns=(0, 0))  # so that the change shows on coarse clocks too
    chunks = tree.store.read(Pin(uri=tree.root.child("f"), size=None))
    next(chunks)
    with file.open("r+b") as start:
        start.write(b"other")
    with pytest.raises(StoreUnavailableError):
        list(chunks)


def test_a_file_that_is_replaced_while_it_is_read_is_still_one_file(tree: Tree) -> None:
    file = tree.folder / "f"
    file.write_bytes(LARGE)
    chunks = tree.store.read(Pin(uri=tree.root.child("f"), size=len(LARGE)))
    first = next(chunks)
    (tree.folder / "g").write_bytes(b"other")
    (tree.folder / "g").replace(file)
    assert bytes(first) + b"".join(map(bytes, chunks)) == LARGE


class _Swapping(FileStore):
    """Does something between the judgement of a path and its opening."""

    swap: Callable[[], None]

    def _locate(self, uri: Uri) -> Path:
        found = super()._locate(uri)
        self.swap()
        return found


@pytest.mark.parametrize("path", ["f", "d/f"])
def test_1_51_a_link_that_comes_at_the_last_moment_is_not_followed(
    tree: Tree, tmp_path: Path, path: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"secret")
    (tree.folder / "d").mkdir()
    (tree.folder / path).write_bytes(b"public")

    def swap() -> None:
        victim = tree.folder / path.split("/", maxsplit=1)[0]
        victim.rename(tree.folder / "moved")
        victim.symlink_to(outside / "f" if path == "f" else outside)

    store = _Swapping(tree.root, StoreContext())
    store.swap = swap
    with pytest.raises((PolicyError, ObjectNotFoundError)):
        list(store.read(Pin(uri=tree.root.child(path), size=6)))


def test_without_folders_by_number_links_are_judged_too(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "supports_dir_fd", frozenset())  # as on Windows
    (tree.folder / "f").write_bytes(b"1")
    assert tree.read("f", size=1) == b"1"
    link_out(tree.folder)
    with pytest.raises(PolicyError):
        tree.read("link")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux")
def test_no_descriptor_stays_open(tree: Tree) -> None:
    (tree.folder / "f").write_bytes(LARGE)
    link_to_folder(tree.folder)
    before = len(list(Path("/proc/self/fd").iterdir()))
    chunks = tree.store.read(Pin(uri=tree.root.child("f"), size=len(LARGE)))
    next(chunks)
    del chunks
    for path in ("f/g", "link/f", "below", "nothing"):
        with pytest.raises((StoreError, PolicyError)):
            tree.read(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_past_of_a_file_is_refused(tree: Tree) -> None:
    (tree.folder / "f").write_bytes(b"1")
    uri = tree.root.child("f")
    with pytest.raises(StoreError):
        list(tree.store.scan(tree.root, as_of=datetime.now(UTC)))
    with pytest.raises(StoreError):
        tree.store.head(uri, VersionId("1"))
    with pytest.raises(StoreError):
        list(tree.store.read(Pin(uri=uri, size=1, version=VersionId("1"))))


def test_a_span_of_a_changed_file_is_refused(tree: Tree) -> None:
    (tree.folder / "f").write_bytes(b"123456")
    uri = tree.root.child("f")
    with pytest.raises(StoreError):
        list(tree.store.read(Pin(uri=uri, size=5), Span(0, 2)))


def test_the_whole_file_system_may_be_declared(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    store = FileStore(Uri.parse("/"), StoreContext())
    assert store.head(Uri.parse(f"{tmp_path}/f")).size == 1


def test_keys_of_two_projects_are_not_taken_for_each_other(tmp_path: Path) -> None:
    identities = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        context = StoreContext(project=tmp_path / name)
        identities.add(FileStore(Uri.parse("raw/"), context).identity)
        identities.add(FileStore(Uri.parse("/raw/"), context).identity)
    assert len(identities) == 3


MADE_UP = pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs /proc")


@MADE_UP
@pytest.mark.parametrize("text", ["file:///proc/self/environ", "file:///proc/version"])
def test_5_6_what_the_kernel_makes_up_is_not_read(text: str) -> None:
    uri = Uri.parse(text)
    store = FileStore(uri, StoreContext())
    with pytest.raises(PolicyError, match="is made up by the kernel"):
        store.head(uri)
    with pytest.raises(PolicyError, match="is made up by the kernel"):
        list(store.read(Pin(uri=uri, size=0)))
    tree = Uri.parse("file:///proc/sys/")
    with pytest.raises(PolicyError, match="is made up by the kernel"):
        list(FileStore(tree, StoreContext()).scan(tree))


@MADE_UP
def test_5_6_nor_is_a_link_to_it(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/proc/self/environ")
    uri = Uri.parse(link.as_uri())
    with pytest.raises(PolicyError, match="is made up by the kernel"):
        FileStore(uri, StoreContext()).head(uri)


@MADE_UP
def test_5_6_bytes_of_a_file_of_no_size_are_not_taken_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file_module, "_MADE_UP", ())  # as if it were mounted elsewhere
    uri = Uri.parse("file:///proc/version")
    store = FileStore(uri, StoreContext())
    with pytest.raises(StoreError, match="has bytes although its size is 0"):
        list(store.read(Pin(uri=uri, size=0)))
