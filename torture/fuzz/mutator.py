"""Spoil an input by random numbers: for where no coverage guides the way."""

import re
from collections.abc import Sequence
from random import Random

MAX_LENGTH = 1 << 16
"""Longer inputs are cut: what is slow only by being long is not looked for here."""
_NUMBERS = (
    *(b"0", b"-1", b"1", b"2", b"255", b"65536", b"2147483648", b"4294967296"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809"),
    *(b"18446744073709551616", b"1e999", b"00", b"9" * 40, b"9" * 5000),
)
_DIGITS = re.compile(rb"[0-9]+")
_TRICKS = (
    *("\u202e", "\u200b", "\u200c", "\ufeff", "\u2028", "\u0085", "\u212a", "\u017f"),
    *("e\u0301", "\u00e9", "\uff0e\uff0e", "\u2215", "\uff0f", "\u0663", "\U0001f600"),
    *("\x1b[31m", "\x1b]0;x\x07", "\x07", "\x08", "\x00", "\r", "\n", "\t", "\x7f"),
)


def mutated(
    seeds: Sequence[bytes], words: Sequence[bytes], luck: Random
) -> tuple[bytes, int]:
    """Return an input made of one of ``seeds``, and how many mutations it took.

    Args:
        seeds: Good inputs; there is at least one.
        words: Pieces that inputs are made of.
        luck: Equal numbers make equal inputs.
    """
    data = luck.choice(seeds)
    count = luck.choice((1, 1, 1, 2, 2, 3, 5, 8))
    for _ in range(count):
        data = _once(data, seeds, words, luck)[:MAX_LENGTH]
    return data, count


def _once(
    data: bytes, seeds: Sequence[bytes], words: Sequence[bytes], luck: Random
) -> bytes:
    start = luck.randrange(len(data) + 1)
    end = min(len(data), start + luck.choice((0, 1, 1, 2, 4, 8, 32, 256)))
    match luck.randrange(11):
        case 0:
            return data[:start] + data[end:]
        case 1:
            return data[:start] + luck.choice(words) + data[end:]
        case 2:
            return data[:start] + luck.choice(words) + data[start:]
        case 3:
            return data[:start] + bytes([luck.randrange(256)]) + data[start + 1 :]
        case 4 if start < len(data):
            return (
                data[:start]
                + bytes([data[start] ^ 1 << luck.randrange(8)])
                + data[start + 1 :]
            )
        case 5:
            return data[:end] + data[start:end] * luck.choice((1, 1, 2, 50)) + data[end:]
        case 6:
            lines = data.splitlines(keepends=True) or [b""]
            one, other = luck.randrange(len(lines)), luck.randrange(len(lines))
            lines[one], lines[other] = lines[other], lines[one]
            return b"".join(lines)
        case 7:
            other_seed = luck.choice(seeds)
            return data[:start] + other_seed[luck.randrange(len(other_seed) + 1) :]
        case 8:
            return _other_number(data, luck)
        case 9:
            return data[:start] + luck.choice(_TRICKS).encode() + data[start:]
        case _:
            return data[:start]


def _other_number(data: bytes, luck: Random) -> bytes:
    found = list(_DIGITS.finditer(data))
    if not found:
        return data + luck.choice(_NUMBERS)
    match = luck.choice(found)
    return data[: match.start()] + luck.choice(_NUMBERS) + data[match.end() :]
