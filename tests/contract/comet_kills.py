"""Kill pushes to Comet at random times, two at once, and look at what is left.

``python -m tests.contract.comet_kills --rounds 50`` is the long form of the kills in
``test_comet_failures.py``: here whole pushers are killed, with their client's process.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from artlock.model.registration import Registration
from artlock.model.uri import Uri
from artlock.tracking.base import TrackerContext
from artlock.tracking.comet import open_tracker
from testbed.comet import CometServer
from tests.contract.comet_place import URL, WORKSPACE
from tests.registrations import registration, simple_lock, text_of

_LATEST_KILL_S = 4.0
"""A push is done by then on most machines."""


def push(scratch: str, which: str) -> None:
    """Push, in the process that is to be killed."""
    with closing(open_tracker(Uri.parse(str(URL)), _context(Path(scratch)))) as tracker:
        tracker.register(_sent(which))


def _sent(which: str) -> Registration:
    return registration(simple_lock(which))


def _context(scratch: Path) -> TrackerContext:
    return TrackerContext(
        environ=dict(os.environ), base=scratch, scratch=scratch, deadline_s=16
    )


def one_round(chance: random.Random) -> str:
    """Kill one of two pushers, let both push again, and judge; return what happened."""
    with CometServer() as server, tempfile.TemporaryDirectory() as folder:
        same = chance.random() < 0.5
        locks = ("v-1", "v-1") if same else ("v-1", "v-2")
        environment = {**os.environ, **server.environ}
        pushers = [
            subprocess.Popen(
                [sys.executable, "-m", __spec__.name, "--push", lock, "--scratch", folder],
                env=environment,
                stderr=subprocess.DEVNULL,
            )
            for lock in locks
        ]
        time.sleep(chance.uniform(0, _LATEST_KILL_S))
        victim = chance.choice(pushers)
        was_running = victim.poll() is None
        victim.send_signal(signal.SIGKILL)
        codes = [pusher.wait(60) for pusher in pushers]
        left = len(server.closed(WORKSPACE, "data"))
        os.environ.update(server.environ)
        with closing(open_tracker(URL, _context(Path(folder)))) as tracker:
            for lock in locks:
                version = tracker.register(_sent(lock)).version
                assert version is not None
                assert text_of(tracker.fetch(version)) == _sent(lock).text
            seen = tracker.versions("data")
        digests = [version.digest for version in seen]
        assert sorted(digests) == sorted({_sent(lock).digest for lock in locks})
        closed = len(server.closed(WORKSPACE, "data"))
        return (
            f"{'same' if same else 'other'} lock, killed {was_running}, exits {codes}, "
            f"closed before {left} and after {closed}, seen {len(seen)}"
        )


def main() -> None:
    """Run rounds, or push as one of their pushers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("--push")
    parser.add_argument("--scratch", default="")
    options = parser.parse_args()
    if options.push:
        push(options.scratch, options.push)
        return
    chance = random.Random(options.seed)  # noqa: S311 - reproducible, not secret
    for number in range(options.rounds):
        sys.stdout.write(f"{number}: {one_round(chance)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
