"""What the children of ``torture.gc`` do: one project that syncs, or one collector.

Each prints a line for each run that ended as it should; anything else ends it with 1.
"""

import os
import sys
import time
from pathlib import Path
from random import Random

from artlock.cache.layout import CacheLayout
from artlock.model.tokens import Tokens
from artlock.ops.gc import GcOptions, collect
from artlock.ops.project import Project
from artlock.ops.resolve import Pins, resolve
from artlock.ops.runtime import Runtime
from artlock.ops.sync import sync
from artlock.ops.vault import Vault
from tests.invariants import unlocked_files

_ROUNDS = 4
_GARBAGE = 20
_PAUSE_S = 0.2


def syncs(root: Path, cache: Path, seed: str, *, is_changing: bool) -> None:
    """Sync again and again: what was removed here, or what changed at the source."""
    random = Random(seed)  # noqa: S311 - to be repeated
    runtime = Runtime.load(os.environ, cache_dir=cache, jobs=2)
    for _ in range(_ROUNDS):
        project = Project.open(root, runtime)
        if is_changing:
            change(root.parent / "source", random)
            resolve(project, None, pins=Pins.MOVE)
        else:
            for path in (root / "data").rglob("*"):
                if path.is_file() and random.random() < 0.5:  # noqa: PLR2004 - half of them
                    path.unlink()
        sync(project)
        wrong = unlocked_files(project.root)
        if wrong:
            message = f"exit code 0, and wrong bytes in {wrong}"
            raise AssertionError(message)
        print("synced", flush=True)


def change(source: Path, random: Random) -> None:
    """Write other bytes into a third of the files of a source."""
    for path in sorted(source.iterdir()):
        if random.random() < 0.3:  # noqa: PLR2004 - a third
            new = path.with_name(f".{path.name}")
            new.write_bytes(random.randbytes(random.choice((10, 1000, 30_000))))
            new.replace(path)


def collects(cache: Path, seed: str) -> None:
    """Put blobs that nobody needs, and collect them at once, until it is ended."""
    random = Random(seed)  # noqa: S311 - to be repeated
    runtime = Runtime.load(os.environ, cache_dir=cache)
    while True:
        with Vault.open(runtime) as vault, vault.blobs.batch() as batch:
            for _ in range(random.randrange(_GARBAGE)):
                data = random.randbytes(100)
                batch.put([data], Tokens(), size=len(data), subject="garbage")
        collect(runtime, GcOptions(grace_s=0))
        print("collected", flush=True)
        # Whoever asks for the mutex all the time lets nobody share it.
        time.sleep(random.uniform(0, _PAUSE_S))


if __name__ == "__main__":
    what, place, cache_dir, told = sys.argv[1:]
    CacheLayout(Path(cache_dir)).prepare()
    print("ready", flush=True)
    if what == "collect":
        collects(Path(cache_dir), told)
    else:
        syncs(Path(place), Path(cache_dir), told, is_changing=what == "change")
