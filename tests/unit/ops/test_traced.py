"""What the system is asked for while a workspace is written (hazards 2.1, 2.12)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import blake3
import pytest

from artlock.model.settings import LinkMode
from tests.unit.ops.workbench import Workbench

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (?:-?\d+|\?)")
_PATH = re.compile(r'(?:(AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
_WRITES = re.compile("mkdir|rename|rmdir|(?<!read)link|chmod|truncate|utimens|mknod")


class Call:
    """One system call with its paths: where each is looked up from, and its text."""

    def __init__(self, name: str, arguments: str) -> None:
        self.text = f"{name}({arguments})"
        self.is_mutex = '"mutex"' in arguments
        self.writes = _WRITES.search(name) is not None or (
            name == "openat" and "O_CREAT" in arguments
        )
        found = _PATH.findall(arguments)
        self.paths = [(at, text) for _, at, text in found]
        if name in {"symlink", "symlinkat"}:
            self.paths = self.paths[1:]  # the first is the text of the link

    def is_below(self, root: Path) -> bool:
        """Tell whether a path of it is looked up below a folder."""
        return any(Path(at, text).is_relative_to(root) for at, text in self.paths)

    def goes_by_path(self, root: Path) -> bool:
        """Tell whether it passes through folders below ``root`` by their names."""
        return any(
            Path(at, text).is_relative_to(root)
            and Path(at, text) != root
            and (not Path(at).is_relative_to(root) or "/" in text)
            for at, text in self.paths
        )


def traced(bench: Workbench, *arguments: str) -> list[Call]:
    log = bench.folder / "log"
    # -B: what Python compiles at its first run is none of artlock's writes.
    artlock = [sys.executable, "-B", "-m", "artlock", "--cache-dir", str(bench.cache)]
    strace = [
        "strace",
        "-f",
        "-y",
        "-qq",
        "-s",
        "4096",
        "-e",
        "trace=%file",
        "-o",
        str(log),
    ]
    done = subprocess.run(
        [*strace, *artlock, "-C", str(bench.root), *arguments],
        check=False,
        capture_output=True,
        cwd="/",
    )
    if b"ptrace" in done.stderr:  # pragma: no cover - a container without the right
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    found = map(_CALL.match, log.read_text(errors="replace").splitlines())
    return [Call(match[1], match[2]) for match in found if match]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK])
def test_2_12_while_files_are_written_none_is_reached_by_a_path(
    bench: Workbench, mode: LinkMode
) -> None:
    bench.put(a="1", d__b="2", d__e__f="3", x="4", gone__g="5")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    # Everything that a sync can do: make, replace, remove, move away, file to folder.
    for path in ("gone", "x"):
        whole = bench.source / path
        shutil.rmtree(whole) if whole.is_dir() else whole.unlink()
    bench.put(a="6", x__y="7", new__n="8")
    bench.update()
    bench.write("data/data/d/b", "mine")
    bench.write("data/data/unknown", "mine")
    flags = ("--force", "--exact", "--link-mode", str(mode))
    calls = traced(bench, "sync", *flags)
    assert bench.data() == {"a": "6", "d/b": "2", "d/e/f": "3", "x/y": "7", "new/n": "8"}
    first, *_, last = (
        number
        for number, call in enumerate(calls)
        if call.writes and call.is_below(bench.root) and not call.is_mutex
    )
    by_path = [c.text for c in calls[first : last + 1] if c.goes_by_path(bench.root)]
    assert by_path == []
    # Byte code, and what else an interpreter may do for itself.
    installed = Path(blake3.__file__).parents[1]
    home = Path(os.environ["HOME"])
    allowed = (bench.root, bench.cache, home, installed, Path("/dev"))
    for call in calls:
        if call.writes and call.paths:
            assert any(call.is_below(place) for place in allowed), call.text
