"""Other defaults for what nobody but a test says, such as how long to wait."""

import pytest


def set_default(
    monkeypatch: pytest.MonkeyPatch, kind: type, name: str, value: object
) -> None:
    """Let ``kind(...)`` take another default for a keyword, until the test ends."""
    # Of the class itself: a constructor's defaults are made once, when it is defined.
    defaults = kind.__init__.__kwdefaults__  # type: ignore[misc] # one class, known here
    assert defaults is not None
    assert name in defaults
    monkeypatch.setitem(defaults, name, value)
