"""A lockfile that keeps rows in parts: one text, as frame and parts, and back.

The *frame* is the file ``artifacts.lock``. Where an artifact is large, it lists parts in
place of rows, each with the digest of its bytes; so the frame alone says what every part
is, and no part of another time or branch passes for one of its own. All else reads the
*text*: the lockfile as it would be without parts.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, cast

import msgspec
from blake3 import blake3
from msgspec.structs import replace

from artlock.errors import LockfileError
from artlock.formats.lockfile_cuts import FIRST, cut_parts, name_of_part
from artlock.formats.lockfile_faults import TAKE_BOTH, Spot
from artlock.formats.lockfile_read import MAX_BYTES, outline_of, read_values
from artlock.formats.lockfile_rows import check_rows
from artlock.formats.lockfile_write import format_lockfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from artlock.model.lock import Lockfile

FOLDER = "artifacts.lock.d"
"""Where the parts are, beside the frame."""
SUFFIX = ".rows"
_NAME = re.compile(rf"{FIRST}|[0-9a-f]{{32}}")
_DIGEST = re.compile(r"blake3:[0-9a-f]{64}")
_BLOCK = re.compile(
    rb'(?<=\n)parts = \[\n((?:\["[0-9a-z]{1,32}","blake3:[0-9a-f]{64}"\],\n)+)\]\n'
)
_LINE = re.compile(r'\["([0-9a-z]+)","(blake3:[0-9a-f]+)"\],\n')
MARK = b"\nparts = ["
"""Is in every frame that lists parts; a longer text is found sooner than a short one."""
_ROWS = b"objects = [\n"
_END = b"]\n"


class Part(msgspec.Struct, frozen=True):
    """A part as the frame lists it.

    Attributes:
        artifact: Whose rows it has.
        name: ``first``, or 32 hex digits.
        digest: ``blake3:<hex>`` of its bytes.
    """

    artifact: str
    name: str
    digest: str

    @property
    def path(self) -> str:
        """Where it is below the folder of parts."""
        return f"{self.artifact}/{self.name}{SUFFIX}"

    def is_in(self, data: bytes) -> bool:
        """Tell whether these are its bytes."""
        return f"blake3:{blake3(data).hexdigest()}" == self.digest


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that lists parts.

    Attributes:
        pieces: The text around the rows that are in parts; one more than ``blocks``.
        blocks: The parts of each artifact that has some, in the order of the artifacts.
        key: Made of the file alone; with the digests of the parts it says what all is.
        oddity: In what it is not spelled as artlock does; ``None`` if it is.
    """

    pieces: tuple[bytes, ...]
    blocks: tuple[tuple[Part, ...], ...]
    key: bytes
    oddity: str | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order of their rows."""
        return tuple(part for block in self.blocks for part in block)


class LockText(msgspec.Struct, frozen=True, kw_only=True):
    """A lockfile as one text, whether it has parts or not.

    Attributes:
        data: The text: with every row in its place.
        frame: The key of its frame; ``None`` if it has no parts, and is the file itself.
        blocks: The parts of each artifact that has some, each with its place in ``data``.
        oddity: In what the frame is not spelled as artlock does; ``None`` if it is.
    """

    data: bytes
    frame: bytes | None = None
    blocks: tuple[tuple[tuple[Part, slice], ...], ...] = ()
    oddity: str | None = None

    @property
    def key(self) -> bytes:
        """A digest that stands for all of the text, and for no other."""
        return self.frame or blake3(self.data).digest()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order of their rows."""
        return tuple(part for block in self.blocks for part, _ in block)


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A lockfile as files.

    Attributes:
        frame: The bytes of ``artifacts.lock``.
        parts: The bytes of each part, by its path below the folder of parts.
    """

    frame: bytes
    parts: tuple[tuple[Part, memoryview], ...]


def lists_parts(data: bytes) -> bool:
    """Tell whether a file may be a frame that lists parts; a glance."""
    return MARK in data


def key_of_frame(data: bytes) -> bytes:
    """Return the key of a frame that lists parts: never that of a file that lists none."""
    return blake3(MARK + blake3(data).digest()).digest()


def parse_frame(data: bytes, *, name: str = "artifacts.lock") -> Frame | None:
    """Read what parts a file lists; ``None`` if none.

    What it says beside is judged when its text is read.

    Raises:
        ArtlockError: It is not a lockfile; or a part is listed that cannot be one.
    """
    if not lists_parts(data):
        return None
    spot = Spot(name)
    return _quick_frame(data, spot) or _slow_frame(data, spot)


def _quick_frame(data: bytes, spot: Spot) -> Frame | None:
    """Read a frame that is spelled as artlock does; ``None`` for another."""
    found = list(_BLOCK.finditer(data))
    if not found or data.count(MARK) != len(found):
        return None
    bounds = [0, *(bound for match in found for bound in match.span()), len(data)]
    pieces = [data[a:b] for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
    bare = (_ROWS + _END).join(pieces)
    outline = outline_of(bare, spot)
    # A frame that is canonical without its parts has each of them where it seems to be.
    if outline is None:
        return None
    by_place = {
        block.start: artifact.name
        for artifact, block in zip(outline.lock.artifacts, outline.blocks, strict=True)
        if block.start == block.stop
    }
    blocks = []
    place = 0
    for piece, match in zip(pieces, found, strict=False):
        place += len(piece) + len(_ROWS)
        if place not in by_place:
            return None
        lines = _LINE.findall(match[1].decode("ascii"))
        blocks.append(_block(by_place[place], lines, spot))
        place += len(_END)
    return Frame(pieces=tuple(pieces), blocks=tuple(blocks), key=key_of_frame(data))


def _slow_frame(data: bytes, spot: Spot) -> Frame | None:
    """Read a frame that somebody spelled otherwise; ``None`` if it lists no parts."""
    lock, oddity, lists = read_values(data, spot)
    if not lists:
        return None
    for artifact in lock.artifacts:
        # The others are about to be sorted, and were not to need it.
        if artifact.name not in lists:
            inside = spot.at(f"artifact `{artifact.name}`")
            check_rows(artifact.objects, artifact.kind, inside)
    blocks = {
        name: _block(name, _pairs(value, spot.at(f"artifact `{name}`")), spot)
        for name, value in lists.items()
    }
    frame = frame_text(lock, blocks)
    again = _quick_frame(frame, spot)
    if again is None:
        spot.refuse("`parts` is not as artlock writes it")
    return replace(again, key=key_of_frame(data), oddity=f"`{spot.name}`: {oddity}")


def _pairs(value: object, spot: Spot) -> list[tuple[str, str]]:
    if not isinstance(value, list) or not all(
        isinstance(pair, list) and [type(text) for text in pair] == [str, str]
        for pair in value
    ):
        spot.refuse('`parts` is not a list of `["name", "digest"]`')
    return [cast("tuple[str, str]", tuple(pair)) for pair in value]


def _block(artifact: str, pairs: Sequence[tuple[str, str]], spot: Spot) -> tuple[Part, ...]:
    inside = spot.at(f"artifact `{artifact}`")
    for name, digest in pairs:
        if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(digest):
            inside.refuse("`parts` has what is not the name and the digest of a part")
    names = [name for name, _ in pairs]
    if not names or len(set(names)) < len(names):
        inside.refuse("`parts` has a part twice" if names else "`parts` is empty")
    return tuple(Part(artifact, name, digest) for name, digest in pairs)


def join(
    frame: Frame,
    candidates: Callable[[Part], Iterable[bytes]],
    *,
    name: str = "artifacts.lock",
) -> LockText:
    """Put the text together; no part is in memory twice.

    Args:
        frame: Which parts.
        candidates: Yields what may be the bytes of a part; what is not is passed over.
        name: What the frame is, for messages.

    Raises:
        LockfileError: A part is missing, is another than the frame lists, or has something
            else than rows; or all are too large to be read.
    """
    text = BytesIO()
    blocks = []
    for piece, parts in zip(frame.pieces, frame.blocks, strict=False):
        text.write(piece + _ROWS)
        places = []
        for part in parts:
            data = _bytes_of(part, candidates, name)
            start = text.tell()
            text.write(data)
            places.append((part, slice(start, text.tell())))
            if text.tell() > MAX_BYTES:
                Spot(name).refuse(f"it is larger than {MAX_BYTES} bytes with its parts")
        text.write(_END)
        blocks.append(tuple(places))
    text.write(frame.pieces[-1])
    return LockText(
        data=text.getvalue(), frame=frame.key, blocks=tuple(blocks), oddity=frame.oddity
    )


def _bytes_of(
    part: Part, candidates: Callable[[Part], Iterable[bytes]], name: str
) -> bytes:
    seen = False
    for data in candidates(part):
        seen = True
        if part.is_in(data):
            _refuse_other_than_rows(part, data)
            return data
    raise torn(part, name, is_there=seen)


def torn(part: Part, name: str, *, is_there: bool) -> LockfileError:
    """Return the error for a part that is not there, or is another."""
    path = f"`{FOLDER}/{part.path}`"
    if is_there:
        message = f"{path} is another than `{name}` lists"
    else:
        message = f"{path} is not there, but `{name}` lists it"
    return LockfileError(message, hint=TAKE_BOTH)


def _refuse_other_than_rows(part: Part, data: bytes) -> None:
    """Refuse what would not stay between the brackets of its artifact."""
    is_rows = data.startswith(b'["') and data.endswith(b"],\n")
    if not is_rows or data.count(b"\n") != data.count(b'\n["') + 1:
        Spot(f"{FOLDER}/{part.path}").refuse("it has lines that are no rows")


def place_of_line(text: LockText, line: int) -> tuple[Part | None, int]:
    """Return in which part a line of the text is, ``None`` for the frame, and where there.

    Args:
        text: The lockfile.
        line: From 1, as is what is returned.
    """
    shift = 0
    for block in text.blocks:
        first = text.data.count(b"\n", 0, block[0][1].start) + 1
        if line < first:
            break
        for part, place in block:
            rows = text.data.count(b"\n", place.start, place.stop)
            if line < first + rows:
                return part, line - first + 1
            first += rows
            shift += rows - 1  # for which the frame has one line
    return None, line - shift


def split(data: bytes, above: int) -> Split:
    """Cut the rows of large artifacts into parts.

    Args:
        data: The text; canonical.
        above: An artifact is cut if its rows have more bytes.

    Raises:
        ValueError: The text is not canonical.
    """
    outline = outline_of(data, Spot("artifacts.lock"))
    if outline is None:
        raise ValueError("a text was not judged")  # noqa: EM101, TRY003 - a defect
    view = memoryview(data)
    frame: list[bytes | memoryview] = []
    found: list[tuple[Part, memoryview]] = []
    done = 0
    for artifact, block in zip(outline.lock.artifacts, outline.blocks, strict=True):
        if block.stop - block.start <= above:
            continue
        parts = [
            (_part(artifact.name, data, place, block), view[place])
            for place in cut_parts(data, block)
        ]
        frame += (view[done : block.start - len(_ROWS)], _list([p for p, _ in parts]))
        found += parts
        done = block.stop + len(_END)
    frame.append(view[done:])
    return Split(frame=b"".join(frame), parts=tuple(found))


def _part(artifact: str, data: bytes, place: slice, block: slice) -> Part:
    name = name_of_part(data, place.start, is_first=place.start == block.start)
    digest = blake3(memoryview(data)[place]).hexdigest()
    return Part(artifact, name, f"blake3:{digest}")


def frame_text(lock: Lockfile, blocks: Mapping[str, Sequence[Part]]) -> bytes:
    """Return the frame of a lockfile whose artifacts have these parts.

    Args:
        lock: Artifacts in parts are without their rows.
        blocks: The parts, by artifact.

    Raises:
        LockfileError: As ``format_lockfile``.
    """
    nothing = format_lockfile(replace(lock, artifacts=()))
    text = [nothing]
    for artifact in lock.artifacts:
        block = format_lockfile(replace(lock, artifacts=(artifact,)))
        block = block.removeprefix(nothing)
        if artifact.name in blocks:
            block = block.removesuffix(_ROWS + _END) + _list(blocks[artifact.name])
        text.append(block)
    return b"".join(text)


def _list(parts: Sequence[Part]) -> bytes:
    lines = (f'["{part.name}","{part.digest}"],\n' for part in parts)
    return f"parts = [\n{''.join(lines)}]\n".encode("ascii")
