"""The corpus and short runs of every target; ``python -m torture.fuzz`` runs longer."""

import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torture.fuzz import running
from torture.fuzz.corpus import CORPUS, corpus, names
from torture.fuzz.mutator import MAX_LENGTH, mutated
from torture.fuzz.running import FoundError, give, give_many, replay
from torture.fuzz.seeds import seeds
from torture.fuzz.targets import TARGETS, Target


def _luck(seed: str) -> Random:
    return Random(seed)  # noqa: S311 - to be repeated


EACH = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@EACH
def test_5_11_no_input_of_the_corpus_is_too_much(target: Target) -> None:
    inputs = corpus(target.name)
    assert len(inputs) >= 10
    assert replay(target, inputs) > 0


@EACH
def test_5_11_no_spoilt_input_is_too_much(target: Target) -> None:
    luck = _luck(f"1 {target.name}")
    score = give_many(target, corpus(target.name), luck, inputs=60)
    assert score.inputs == 60
    assert score.mutations >= 60


@EACH
@settings(max_examples=20)
@given(data=st.binary(max_size=300))
def test_5_11_no_bytes_at_all_are_too_much(target: Target, data: bytes) -> None:
    give(target, data)


@pytest.mark.parametrize("name", ["uri", "path", "tokens", "trust", "settings", "manifest"])
@given(text=st.text(max_size=80))
def test_5_11_no_text_at_all_is_too_much(name: str, text: str) -> None:
    target = next(target for target in TARGETS if target.name == name)
    give(target, text.encode())


def test_the_corpus_is_what_is_built_and_what_was_found() -> None:
    built = seeds()
    assert names() == sorted(built) == sorted(target.name for target in TARGETS)
    for name, inputs in built.items():
        kept = {p.name: p.read_bytes() for p in sorted((CORPUS / name).iterdir())}
        odd = [n for n in kept if not re.fullmatch(r"seed-\d\d|found-[a-z0-9-]+", n)]
        assert odd == []
        assert [kept[n] for n in sorted(kept) if n.startswith("seed-")] == inputs
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000


def test_equal_numbers_make_equal_inputs() -> None:
    inputs = [
        [mutated([b"one 1", b"two"], [b"w"], luck) for _ in range(200)]
        for luck in (_luck("5"), _luck("5"), _luck("6"))
    ]
    assert inputs[0] == inputs[1] != inputs[2]
    assert len(set(inputs[0])) > 100
    assert mutated([b"x" * MAX_LENGTH], [b"w" * 99], _luck("1"))[0] < b"y" * (
        MAX_LENGTH + 1
    )


def _target(error: Exception) -> Target:
    def run(data: bytes) -> bool:
        if b"\xff" in data:
            raise error
        return True

    return Target(name="n", run=run, words=(b"\xff",), inputs=1)


@pytest.mark.parametrize("error", [AssertionError("law"), KeyError("k"), RecursionError()])
def test_what_no_reader_may_raise_is_found_with_its_input(error: Exception) -> None:
    target = _target(error)
    with pytest.raises(FoundError) as found:
        give_many(target, [b"good"], _luck("1"), inputs=1000)
    assert b"\xff" in found.value.data
    assert type(error).__name__ in str(found.value)


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: bytes) -> bool:
        begun = time.process_time()
        while time.process_time() - begun < 0.02:
            pass
        return True

    monkeypatch.setattr(running, "MAX_SECONDS", 0.01)
    slow = replace(TARGETS[0], run=run)
    with pytest.raises(FoundError, match="it took"):
        give(slow, b"")


def test_a_memory_hog_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_GROWTH", 1 << 20)
    peak = running._peak_memory()
    hog = replace(TARGETS[0], run=lambda _: len(b"x" * (2 * peak)) > 0)
    with pytest.raises(FoundError, match="grew"):
        give(hog, b"")


@pytest.mark.slow
@pytest.mark.parametrize("way", [(), ("--plain",)])
def test_the_command_runs_for_its_time(way: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torture.fuzz", "tokens", "--seconds", "1", *way]
    done = subprocess.run(
        [*command, "--corpus", tmp_path / "c"],
        capture_output=True,
        text=True,
        check=False,
        cwd=CORPUS.parents[1],
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"[0-9,]+ inputs|Done [0-9]+ runs", done.stdout + done.stderr)
