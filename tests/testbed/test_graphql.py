import pytest

from testbed.graphql import GraphQLError, parse

ROOT = {
    "project": lambda a: {"name": a["name"], "runs": [{"id": 1}, {"id": 2}]},
    "node": {"__typename": "Run", "id": 7},
    "echo": lambda a: a["given"],
}


def test_fields_aliases_arguments_and_fragments_are_answered() -> None:
    query = """
    query Q($name: String! = "given", $with: Boolean = false) {
      it: project(name: $name) { ...P }  # a comment
      node { ... on Run { id } ... on Other { name } }
      echo(given: {a: [1, "x y", true, null, KIND], b: $name}) @include(if: $with)
      echo2: echo(given: -3) @skip(if: $with)
    }
    fragment P on Project { name runs { id } missing { id } }
    """
    operation = parse(query, {"name": "data"})
    assert operation.name == "Q"
    assert operation.execute(ROOT) == {
        "it": {"name": "data", "runs": [{"id": 1}, {"id": 2}], "missing": None},
        "node": {"id": 7},
        "echo2": -3,
    }
    answer = parse(query, {"with": True}).execute(ROOT)
    assert answer["echo"] == {"a": [1, "x y", True, None, "KIND"], "b": "given"}


@pytest.mark.parametrize("query", ["query {", "{ a }", "mutation M { a(b 1) }"])
def test_what_is_no_document_is_refused(query: str) -> None:
    with pytest.raises(GraphQLError):
        parse(query, {})
