import os
import select
import sys
from pathlib import Path

import pytest

from benchmarks.comparison import Comparison, Peer, measure
from benchmarks.timing import INSIDE, Contender, RunError, race, run
from benchmarks.truth import Delivery, compare, digests
from benchmarks.words import rows_of, targets_of

ENVIRON = {"PATH": os.environ["PATH"]}


def python(name: str, code: str, folder: Path) -> Contender:
    return Contender(name=name, command=(sys.executable, "-c", code), folder=folder)


def test_memory_is_that_of_the_command_alone(tmp_path: Path) -> None:
    held = bytearray(b"x") * 300_000_000
    small = run(python("small", "", tmp_path), ENVIRON)
    large = run(python("large", "b'x' * 200_000_000", tmp_path), ENVIRON)
    assert len(held) > 200_000_000 > small.peak
    assert large.peak > 200_000_000


def test_cpu_time_is_that_of_children_too(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    assert run(python("parent", child, tmp_path), ENVIRON).cpu > 0.3


def test_a_command_may_time_a_part_of_itself(tmp_path: Path) -> None:
    contender = Contender(
        name="part",
        command=(sys.executable, "-c", f"print({INSIDE!r}, 0.25)"),
        folder=tmp_path,
        tells_time=True,
    )
    assert run(contender, ENVIRON).wall == 0.25


def test_who_is_far_behind_runs_only_a_few_rounds(tmp_path: Path) -> None:
    def sleep(name: str, seconds: float) -> Contender:
        command = ("sleep", str(seconds))
        return Contender(name=name, command=command, folder=tmp_path)

    found = race(
        [sleep("ours", 0.02), sleep("near", 0.03), sleep("far", 0.3)], ENVIRON, rounds=5
    )
    assert [len(each.runs) for each in found.values()] == [5, 5, 3]


@pytest.mark.parametrize("command", [("sh", "-c", "echo no; exit 3"), ("./not-there",)])
def test_a_run_that_fails_says_so(command: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no|not-there"):
        run(Contender(name="it", command=command, folder=tmp_path), ENVIRON)


def test_what_a_command_leaves_running_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    reader = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    try:
        command = ("sh", "-c", "exec 3>held; sleep 600 &")
        run(Contender(name="it", command=command, folder=tmp_path), ENVIRON)
        ready, _, _ = select.select([reader], [], [], 10)
        assert ready  # nobody holds the other end
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


def test_who_fails_or_is_absent_ends_nothing(tmp_path: Path) -> None:
    good = python("good", "", tmp_path)
    bad = python("bad", "raise SystemExit(1)", tmp_path)
    gone = Contender(name="gone", command=("gone",), folder=tmp_path, absent="not here")
    measured = race([bad, gone, good], ENVIRON, rounds=2)
    assert [len(each.runs) for each in measured.values()] == [0, 0, 2]
    result = measure(
        Comparison(
            what="it",
            ours=good,
            peers=(Peer(contender=bad, target=1.0), Peer(contender=gone)),
        ),
        ENVIRON,
        rounds=1,
    )
    _, rows = rows_of(result)
    assert [row[:2] for row in rows[1:]] == [("bad", "failed"), ("gone", "not here")]
    _, ((*_, judged),) = targets_of(result.verdicts())
    assert judged == "not measured"


def test_a_delivery_is_compared_file_by_file(tmp_path: Path) -> None:
    for name in ("same", "wrong", "missing", "d/empty"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if name == "d/empty" else name)
    pinned = digests(tmp_path / "source")
    assert compare(tmp_path / "source", pinned).is_exact
    (tmp_path / "source" / "wrong").write_text("other")
    (tmp_path / "source" / "missing").rename(tmp_path / "source" / "extra")
    found = compare(tmp_path / "source", pinned)
    assert found == Delivery(right=2, wrong=1, missing=1, extra=1)
    assert str(found) == "1 wrong, 1 missing, 1 extra"
