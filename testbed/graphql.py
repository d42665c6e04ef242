"""Answer GraphQL: as much of the language as clients write, over plain mappings.

A schema is not needed: a field is looked up in the mapping that stands for an object, and
is called with its arguments if it can be. So a stand-in says what it knows, and whatever
else a client asks for is ``null``.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = Any  # what JSON has
Arguments: TypeAlias = Mapping[str, Value]
Resolver: TypeAlias = Callable[[Arguments], Value]

_TOKEN = re.compile(
    r'[\s,]+|#[^\n]*|(?P<token>\.\.\.|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|[\S])'
)
_WORDS: Mapping[str, Value] = {"true": True, "false": False, "null": None}


class GraphQLError(Exception):
    """The answer to a request is an error, which goes into ``errors``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variable:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """A field; or, if ``fragment`` is set, what is spread here.

    Attributes:
        key: What the field is called in the answer.
        condition: The type that an inline fragment asks for, or empty.
        directives: Name and arguments, as written.

    """

    name: str = ""
    key: str = ""
    arguments: tuple[tuple[str, Value], ...] = ()
    fragment: str = ""
    condition: str = ""
    directives: tuple[tuple[str, Value], ...] = ()
    selections: tuple["_Selection", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A request that was read.

    Attributes:
        name: What the client calls it, such as ``CreateArtifact``.
        variables: With the defaults of those that were not given.

    """

    name: str
    variables: Mapping[str, Value]
    selections: tuple[_Selection, ...]
    fragments: Mapping[str, tuple[_Selection, ...]]

    def execute(self, root: Mapping[str, Value]) -> dict[str, Value]:
        """Return the data of the answer.

        Raises:
            GraphQLError: A resolver said so.

        """
        return self._object(root, self.selections)

    def _object(
        self, node: Mapping[str, Value], selections: Sequence[_Selection]
    ) -> dict[str, Value]:
        result: dict[str, Value] = {}
        for field in self._fields(node, selections):
            value = node.get(field.name)
            if callable(value):
                value = value({name: self._value(given) for name, given in field.arguments})
            result[field.key] = self._completed(value, field.selections)
        return result

    def _completed(self, value: Value, selections: Sequence[_Selection]) -> Value:
        if isinstance(value, Mapping):
            return self._object(value, selections) if selections else dict(value)
        if isinstance(value, list | tuple):
            return [self._completed(one, selections) for one in value]
        return value

    def _fields(
        self, node: Mapping[str, Value], selections: Sequence[_Selection]
    ) -> Iterator[_Selection]:
        for selection in selections:
            if not self._is_wanted(selection):
                continue
            if selection.name:
                yield selection
            elif selection.fragment:
                yield from self._fields(node, self.fragments[selection.fragment])
            elif selection.condition in {"", node.get("__typename", selection.condition)}:
                yield from self._fields(node, selection.selections)

    def _is_wanted(self, selection: _Selection) -> bool:
        return all(
            bool(self._value(dict(arguments)["if"])) is (name == "include")
            for name, arguments in selection.directives
        )

    def _value(self, given: Value) -> Value:
        if isinstance(given, _Variable):
            return self.variables.get(given.name)
        if isinstance(given, dict):
            return {name: self._value(one) for name, one in given.items()}
        if isinstance(given, list):
            return [self._value(one) for one in given]
        return given


def parse(query: str, variables: Mapping[str, Value]) -> Operation:
    """Read a document with one operation.

    Raises:
        GraphQLError: It is none.

    """
    reader = _Reader(query)
    name, defaults = "", {}
    selections: tuple[_Selection, ...] = ()
    fragments: dict[str, tuple[_Selection, ...]] = {}
    while reader.peek():
        kind = reader.next()
        if kind == "fragment":
            fragment = reader.next()
            reader.expect("on")
            reader.next()
            fragments[fragment] = reader.selections()
        elif kind in {"query", "mutation"}:
            name = reader.next() if reader.peek() not in {"{", "("} else ""
            defaults = reader.variables()
            selections = reader.selections()
        else:
            message = f"unexpected {kind}"
            raise GraphQLError(message)
    return Operation(
        name=name,
        variables={**defaults, **variables},
        selections=selections,
        fragments=fragments,
    )


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = [m["token"] for m in _TOKEN.finditer(text) if m["token"]]
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def next(self) -> str:
        token = self.peek()
        if not token:
            message = "the document ends early"
            raise GraphQLError(message)
        self._at += 1
        return token

    def expect(self, token: str) -> None:
        if (found := self.next()) != token:
            message = f"expected {token}, found {found}"
            raise GraphQLError(message)

    def _took(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._at += 1
        return True

    def variables(self) -> dict[str, Value]:
        """Return the defaults of the variables that are declared here."""
        defaults: dict[str, Value] = {}
        if not self._took("("):
            return defaults
        while not self._took(")"):
            self.expect("$")
            name = self.next()
            self.expect(":")
            while self.peek() in {"[", "]", "!"} or self.peek().isidentifier():
                self._at += 1
            if self._took("="):
                defaults[name] = self._value()
        return defaults

    def selections(self) -> tuple[_Selection, ...]:
        self.expect("{")
        found = []
        while not self._took("}"):
            found.append(self._spread() if self._took("...") else self._field())
        return tuple(found)

    def _spread(self) -> _Selection:
        if self.peek() in {"on", "{", "@"}:
            condition = self.next() and self.next() if self.peek() == "on" else ""
            directives = self._directives()
            return _Selection(
                condition=condition, directives=directives, selections=self.selections()
            )
        return _Selection(fragment=self.next(), directives=self._directives())

    def _field(self) -> _Selection:
        key = name = self.next()
        if self._took(":"):
            name = self.next()
        arguments = self._arguments()
        directives = self._directives()
        selections = self.selections() if self.peek() == "{" else ()
        return _Selection(
            name=name,
            key=key,
            arguments=arguments,
            directives=directives,
            selections=selections,
        )

    def _directives(self) -> tuple[tuple[str, Value], ...]:
        found = []
        while self._took("@"):
            found.append((self.next(), self._arguments()))
        return tuple(found)

    def _arguments(self) -> tuple[tuple[str, Value], ...]:
        return tuple(self._pairs(")")) if self._took("(") else ()

    def _pairs(self, end: str) -> Iterator[tuple[str, Value]]:
        while not self._took(end):
            name = self.next()
            self.expect(":")
            yield name, self._value()

    def _value(self) -> Value:
        word = self.next()
        if word == "$":
            return _Variable(name=self.next())
        if word == "{":
            return dict(self._pairs("}"))
        if word == "[":
            values = []
            while not self._took("]"):
                values.append(self._value())
            return values
        if word.startswith('"'):
            return word[1:-1].encode().decode("unicode_escape")
        if re.fullmatch(r"-?\d+", word):
            return int(word)
        return _WORDS.get(word, word)
