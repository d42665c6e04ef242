"""The inputs that are kept: ``tests/corpus``, a folder for each target."""

from pathlib import Path

CORPUS = Path(__file__).parents[2] / "tests" / "corpus"


def names() -> list[str]:
    """Return the names of the targets, sorted."""
    return sorted(folder.name for folder in CORPUS.iterdir())


def corpus(name: str) -> list[bytes]:
    """Return what lies in the corpus of a target, built and found, in order of names."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
