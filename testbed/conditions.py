"""Preconditions and ranges of requests, by RFC 9110."""

import re


def lists(listed: str, etag: str | None, *, weak: bool) -> bool:
    """Tell whether a list of entity tags has ``etag``: RFC 9110 section 8.8.3.2."""
    if listed.strip() == "*":
        return True
    if etag is None:
        return False
    tags = re.findall(r'(?:W/)?"[^"]*"', listed)
    if weak:
        return etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in tags}
    return not etag.startswith("W/") and etag in tags


def span(text: str, size: int) -> tuple[int, int] | None:
    """Return start and end of the one range that is asked for.

    None means that the header is to be ignored: RFC 9110 section 14.2. A range that
    cannot be satisfied has its start at or after its end.
    """
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", text.replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(size - int(found[2]), 0), size
    first = int(found[1])
    if found[2] and int(found[2]) < first:
        return None
    return first, min(int(found[2]) + 1 if found[2] else size, size)
