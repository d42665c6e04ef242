"""Play all chapters in a temporary folder; exit 0 only if nothing surprised."""

import sys
import tempfile
import time
from pathlib import Path

from demo import drifting, locking, looking, refusing, registering, reproducing
from demo.stage import Stage, SurpriseError
from demo.world import World, opened
from testbed.process import StartError

_NAME = "artlock-demo-"


def main() -> int:
    """Run the demo.

    Returns:
        0; 1 if a command or a byte was not as expected; 130 if it was stopped.
    """
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=_NAME, ignore_cleanup_errors=True) as name:
        try:
            commands = _play(Path(name).resolve() / "demo")
        except (SurpriseError, StartError) as surprise:
            print(f"\nThe demo was surprised: {surprise}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nStopped; the servers are ended and the folder is removed.")
            return 130
    took = time.monotonic() - begun
    print(f"\nThat was artlock: {commands} commands in {took:.0f} s, all as expected.")
    return 0


def _play(folder: Path) -> int:
    print("artlock at work, against real servers on this machine.")
    print("Starting SeaweedFS (S3), fake-gcs-server (GCS) and a web server ...", flush=True)
    with opened(folder) as world:
        stage = Stage(world.variables(), {str(folder): "/demo"})
        _introduce(stage, world)
        project = folder / "classifier"
        locking.play(stage, world, project)
        reproducing.play(stage, world, project, folder / "clone")
        drifting.play(stage, world, folder / "clone")
        refusing.play(stage, world, project, folder / "third")
        looking.play(stage, world, project)
        registering.play(stage, world, project)
        return stage.commands


def _introduce(stage: Stage, world: World) -> None:
    stage.say(
        f"""They listen on loopback: S3 at {world.s3.endpoint}, GCS at
        {world.gcs.endpoint}, the web at {world.web.endpoint}. The commands find them as
        they would find any other, through AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY and STORAGE_EMULATOR_HOST; ARTLOCK_TRUST=127.0.0.1 says
        that a web server at a private address is meant. Everything happens in a
        temporary folder, shown as /demo."""
    )


if __name__ == "__main__":
    sys.exit(main())
