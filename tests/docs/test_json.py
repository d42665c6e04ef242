import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.documents import real_documents, shapes
from tests.docs.reference import REFERENCE

_SHARED = {
    "changes": "A change",
    "drift": "A drift",
    "errors": "A failure",
    "version": "A version",
    "versions": "A version",
    "waiting": "What waits",
}
_BESIDE_A_VERSION = {"written", "produced"}
"""Keys of documents whose ``version`` is a registered one."""
_ONLY_IN_TROUBLE = {
    ("artlock.check/1", "errors[]."),
    ("artlock.status/1", "errors[]."),
    ("artlock.push/1", "waiting[]"),
}
"""Keys that no command of ``documents`` brings about."""


def _documented() -> dict[str, set[str]]:
    text = (REFERENCE / "json.md").read_text("utf-8")
    sections = re.split(r"^###? (.+)$", text, flags=re.MULTILINE)[1:]
    tables = {
        heading: {
            key
            for row in re.findall(r"^\| (`[^|]*) \|", body, flags=re.MULTILINE)
            for key in re.findall(r"`([^`]+)`", row)
        }
        for heading, body in zip(sections[::2], sections[1::2], strict=True)
    }
    shared = {
        key: {inner for inner in tables[heading] if re.match(rf"{key}\b", inner)}
        for key, heading in _SHARED.items()
    }
    return {
        heading: keys.union(*_spelled_out(keys, shared), {"schema"})
        for heading, keys in tables.items()
        if heading.startswith("artlock.")
    }


def _spelled_out(keys: set[str], shared: dict[str, set[str]]) -> Iterator[set[str]]:
    """Yield the keys of shared parts, each below the key that has it."""
    for key in keys:
        above, _, last = key.rpartition(".")
        if last == "version" and keys.isdisjoint(_BESIDE_A_VERSION):
            continue  # that of a row
        yield {f"{above}.{inner}" if above else inner for inner in shared.get(last, ())}


@pytest.mark.slow
def test_documents_have_the_keys_that_the_reference_names(tmp_path: Path) -> None:
    real: dict[str, set[str]] = defaultdict(set)
    for document in real_documents(tmp_path):
        real[str(document["schema"])] |= shapes(document)
    documented = _documented()
    assert documented.keys() == real.keys()
    for schema, keys in documented.items():
        facts = {k for k in real[schema] if k.startswith(("errors[].", "error."))}
        assert real[schema] - facts <= keys, schema
        unseen = keys - real[schema]
        if schema in {"artlock.resolve/1", "artlock.add/1", "artlock.rm/1"}:
            unseen = {k for k in unseen if not k.startswith("changes[].")}
        unseen = {k for k in unseen if (schema, k[:9]) not in _ONLY_IN_TROUBLE}
        assert unseen <= {"errors[].hint"}, schema
