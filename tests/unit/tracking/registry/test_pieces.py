import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.tracking.registry import pieces
from artlock.tracking.registry.pieces import MOST, compress, cut, decompress


def rows(count: int, *, seed: int = 0) -> list[bytes]:
    made = random.Random(seed)  # noqa: S311 - made-up data
    return [
        b'["a/%07d.bin",%d,"blake3:%s","%s"],\n'
        % (n, n, made.randbytes(32).hex().encode(), made.randbytes(12).hex().encode())
        for n in range(count)
    ]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces of a few lines, so that laws are tried with many of them."""
    monkeypatch.setattr(pieces, "LEAST", 64)
    monkeypatch.setattr(pieces, "MOST", 512)
    monkeypatch.setattr(pieces, "_HIT", 1 << 30)


LINES = st.lists(st.one_of(st.binary(max_size=700), st.sampled_from(rows(20))))


@pytest.mark.usefixtures("small_pieces")
class TestCuts:
    @given(LINES)
    def test_the_pieces_together_are_the_text(self, lines: list[bytes]) -> None:
        text = b"".join(lines)
        found = list(cut(text))
        assert b"".join(piece.text for piece in found) == text
        assert all(0 < len(piece.text) <= pieces.MOST for piece in found)
        assert all(len(piece.text) >= pieces.LEAST for piece in found[:-1])

    @given(st.integers(0, 199), st.binary(max_size=50).filter(lambda b: b"\n" not in b))
    def test_another_token_moves_no_cut(self, number: int, token: bytes) -> None:
        lines = rows(200)
        before = list(cut(b"".join(lines)))
        path = lines[number].partition(b'",')[0]
        lines[number] = path + b'",7,"' + lines[number][-40:-3] + b'"],\n'
        after = list(cut(b"".join(lines)))
        shared = {piece.place for piece in before} & {piece.place for piece in after}
        # The row may be shorter by some bytes, which moves a cut in rare cases.
        assert len(shared) >= len(before) // 2, token

    def test_a_row_more_leaves_the_other_pieces(self) -> None:
        lines = rows(400)
        before = {piece.text for piece in cut(b"".join(lines))}
        lines.insert(200, b'["a/0000199x.bin",1,"etag:x",""],\n')
        after = {piece.text for piece in cut(b"".join(lines))}
        assert len(after - before) < len(after) // 4
        assert len(after) > 40


def test_an_empty_text_has_no_pieces() -> None:
    assert list(cut(b"")) == []


def test_a_line_without_end_is_cut_anywhere() -> None:
    text = b"x" * (2 * MOST + 5)
    assert [len(piece.text) for piece in cut(text)] == [MOST, MOST, 5]


@given(st.binary(max_size=2000), st.none() | st.binary(max_size=2000))
def test_what_is_compressed_is_read_back(piece: bytes, base: bytes | None) -> None:
    for stored in (compress(piece, base), compress(piece, None, base)):
        like = base if stored.base else None
        assert decompress(stored.data, like, len(piece)) == piece


def test_a_piece_that_differs_little_takes_little() -> None:
    lines = rows(5000)
    base = b"".join(lines)
    for number in range(0, 5000, 100):
        lines[number] = lines[number][:40] + b"0" * 20 + lines[number][60:]
    piece = b"".join(lines)
    near, far, alone = compress(piece, base), compress(piece, None, base), compress(piece)
    assert (near.base, far.base, alone.base) == (1, 2, 0)
    assert len(near.data) < len(alone.data) // 20


def test_a_base_that_does_not_help_is_not_used() -> None:
    one, two = b"".join(rows(1000)), b"".join(rows(1000, seed=1))
    assert compress(two, one).base == 0


def test_what_is_not_a_piece_is_refused() -> None:
    piece = b"".join(rows(100))
    base = b"".join(rows(90))
    stored = compress(piece, base)
    for data, like, size in (
        (stored.data, base, len(piece) - 1),
        (stored.data, base[:-1], len(piece)),
        (stored.data, None, len(piece)),
        (stored.data[:-1], base, len(piece)),
        (stored.data + b"x", base, len(piece)),
        (b"", None, 0),
        (b"not zstd", None, 8),
        (compress(b"x" * 10).data, None, MOST + 1),
    ):
        try:
            found = decompress(data, like, size)
        except ValueError:
            continue
        # A wrong base may give other bytes; the digest of the piece says so.
        assert found != piece
