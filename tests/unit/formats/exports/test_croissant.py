import json
import subprocess
from pathlib import Path

import pytest

from artlock.errors import ConfigError
from artlock.formats.exports.croissant import as_croissant
from tests.programs import tool
from tests.unit.formats.exports.values import B3, MD5, SHA256, artifact, export, file, of

ALL = export(
    artifact(name="link"),
    artifact(
        file("s3://b/t/a b.CSV", f"{B3} {SHA256}", "v1"),
        file("gs://b/t/d/é.bin", MD5, "17", path="d/é.bin"),
    ),
)


def test_an_object_is_a_file_object() -> None:
    one, other = json.loads("".join(as_croissant(ALL)))["distribution"]
    assert one == {
        "@type": "cr:FileObject",
        "@id": "x/a~20b.CSV",
        "name": "x/a b.CSV",
        "contentUrl": "https://b.s3.amazonaws.com/t/a%20b.CSV?versionId=v1",
        "contentSize": "3 B",
        "encodingFormat": "text/csv",
        "sha256": "ab" * 32,
    }
    assert other["encodingFormat"] == "application/octet-stream"
    assert other["md5"] == "0e" * 16
    assert "sha256" not in other


def test_a_row_with_neither_digest_is_refused() -> None:
    with pytest.raises(ConfigError, match="`x/a` have no `sha256` or `md5`"):
        list(as_croissant(of(file("s3://b/a", B3))))


@pytest.mark.slow
def test_the_reference_implementation_reads_it_without_complaint(tmp_path: Path) -> None:
    path = tmp_path / "croissant.json"
    path.write_text("".join(as_croissant(ALL)), "utf-8")
    program = (
        "import sys, mlcroissant\n"
        "found = mlcroissant.Dataset(sys.argv[1]).metadata\n"
        "for one in found.distribution: print(one.id, one.sha256 or one.md5)\n"
    )
    done = subprocess.run(
        [tool("python"), "-c", program, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"x/a~20b.CSV {'ab' * 32}\nx/d/é.bin {'0e' * 16}\n"
    assert "not standard" not in done.stderr
    assert "error" not in done.stderr
