"""Push locks into a registry at random until killed; forked, so that many can be killed.

``python -m tests.crash.registry_pushes URL FOLDER``: for each line on its input it starts
a pusher with that seed, and answers with its process id. When its input ends it waits for
all pushers and ends.
"""

import os
import random
import sys
import traceback
from importlib import import_module
from pathlib import Path

from artlock.model.registration import Labels, Registration, Run
from artlock.model.uri import Uri
from artlock.tracking.base import TrackerContext
from artlock.tracking.registry import (
    NewParcel,
    Outbox,
    ParcelKind,
    Registry,
    open_registry,
    pieces,
)
from tests.registrations import PROVENANCE, lockfile, registration, row, tree

NAMES = ("data", "other")
LOCKS = 60
TARGETS = ("comet://team/vision", "wandb://team/vision")
ACKNOWLEDGED = "acknowledged"
TRACES = "traces"


def lock_number(number: int) -> Registration:
    """Return one of a few locks; most rows are those of all the others."""
    made = random.Random(number)  # noqa: S311 - made-up data
    rows = [
        row(f"{at:04d}.bin", at, version=f"{number if made.random() < 0.1 else at}")
        for at in range(300)
    ]
    return registration(lockfile(tree("val", *rows)), NAMES[number % len(NAMES)])


def open_at(url: str, folder: Path) -> Registry:
    context = TrackerContext(environ=dict(os.environ), base=folder, scratch=folder)
    return open_registry(Uri.parse(url), context)


def make_small_pieces() -> None:
    """So that a lock has many, and a transaction many statements."""
    pieces.LEAST, pieces.MOST = 500, 4000
    pieces._HIT = 1 << 29


def push(url: str, folder: Path, seed: str) -> None:
    """Register at random for ever, and write down what was told to be registered."""
    made = random.Random(seed)  # noqa: S311 - made-up data
    registry = open_at(url, folder)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    told = os.open(folder / ACKNOWLEDGED, flags, 0o600)
    while True:
        number = made.randrange(LOCKS)
        labels = Labels(aliases=("prod",), tags=(f"t{number}",))
        run = Run(id=f"run-{made.randrange(5)}")
        sent = lock_number(number)
        sent = registration(sent.lock, sent.name, labels=labels, run=run)
        version = registry.register(sent).version
        assert version is not None
        assert version.digest == sent.digest
        line = f"{version.name} {version.number} {version.digest}\n"
        os.write(told, line.encode())
        use_outbox(registry.outbox, sent, made, seed)


def use_outbox(outbox: Outbox, sent: Registration, made: random.Random, owner: str) -> None:
    parcel = NewParcel(
        created=PROVENANCE.time,
        target=made.choice(TARGETS),
        kind=ParcelKind.PUSH,
        name=sent.name,
        digest=sent.digest,
        each=False,
        provenance=PROVENANCE,
        labels=sent.labels,
    )
    outbox.add([parcel], {})
    now_s = made.random() * 1000
    taken = outbox.claim(now_s=now_s, lease_s=10, owner=owner)
    if taken is not None:
        outbox.text(taken.digest)
        outbox.done(taken, native="x")


def main(url: str, folder: Path) -> None:
    """See the module."""
    make_small_pieces()
    # Loaded once, and not in each pusher's short life. Nothing is hashed here: BLAKE3's
    # threads would be missing after the fork.
    for name in ("alembic.command", "psycopg", "sqlalchemy.dialects.postgresql"):
        import_module(name)
    for seed in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                push(url, folder, seed.strip())
            except BaseException:  # noqa: BLE001 - the child of a fork ends here
                with (folder / TRACES).open("a") as traces:
                    traceback.print_exc(file=traces)
            os._exit(1)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
