import csv
import io
import json

from artlock.formats.exports.rows import COLUMNS, as_csv, as_jsonl
from tests.unit.formats.exports.values import B3, artifact, export, file

ALL = export(
    artifact(name="link"),
    artifact(file('s3://b/t/=1+1,"a" é.txt', f"{B3} etag:x", "v1"), name="tree"),
)


def test_each_object_and_each_link_is_a_document_on_a_line() -> None:
    link, row = (json.loads(line) for line in as_jsonl(ALL))
    assert tuple(row) == ("schema", *COLUMNS)
    assert row["schema"] == link["schema"] == "artlock.row/1"
    assert row["file"] == 'data/x/=1+1,"a" é.txt'
    assert row["uri"] == 's3://b/t/=1+1,"a" é.txt'
    assert (row["size"], row["version"], row["trust"]) == (3, "v1", "strong")
    assert (link["kind"], link["uri"], link["path"]) == ("link", "labelbox://p", None)
    assert "".join(as_jsonl(ALL)).isascii()


def test_csv_has_the_same_cells() -> None:
    text = "".join(as_csv(ALL))
    names, *rows = csv.reader(io.StringIO(text))
    assert tuple(names) == COLUMNS
    documents = [json.loads(line) for line in as_jsonl(ALL)]
    wanted = [["" if d[c] is None else str(d[c]) for c in COLUMNS] for d in documents]
    assert rows == wanted
    assert "\r" not in text
