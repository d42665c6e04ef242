"""Look for inputs of a reader that it neither takes nor refuses.

Coverage guides the search where atheris can be imported; ``--plain`` and every other
machine spoil the corpus by random numbers.

::

    python -m torture.fuzz lockfile --seconds 600 --corpus /tmp/lockfile --seed 1

``--corpus`` is a folder where inputs with new coverage are kept for the next run; the
corpus of the repository is always used too. An input that is wrong is written beside that
folder, to ``<folder>.found``, and ends the run with exit code 1.
"""

import argparse
import hashlib
import resource
import sys
import time
from pathlib import Path
from random import Random

from torture.fuzz.corpus import CORPUS, corpus, names

_MAX_LENGTH = 1 << 14
_MEMORY_MB = 2048
_TIMEOUT_S = 60


def main() -> int:
    """Read the arguments and look.

    Returns:
        0 if nothing was found, else 1.
    """
    parser = argparse.ArgumentParser(prog="torture.fuzz", description=__doc__)
    parser.add_argument("target", choices=names())
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--corpus", type=Path, required=True, help="a folder, made if absent"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="without atheris")
    chosen = parser.parse_args()
    chosen.corpus.mkdir(parents=True, exist_ok=True)
    if not chosen.plain:
        try:
            import atheris  # noqa: F401, PLC0415 - it is there on some machines only
        except ImportError:
            print("atheris is not here; no coverage guides this run", file=sys.stderr)
        else:
            _guided(chosen.target, chosen.seconds, chosen.corpus, chosen.seed)
    return _plain(chosen.target, chosen.seconds, chosen.corpus, chosen.seed)


def _guided(name: str, seconds: int, folder: Path, seed: int) -> None:
    """Run libFuzzer, which ends the process."""
    import atheris  # noqa: PLC0415 - as above

    # What is imported here is watched; the standard library and vendors are not.
    with atheris.instrument_imports(include=["artlock"]):
        from torture.fuzz.running import give  # noqa: PLC0415 - see above
        from torture.fuzz.targets import TARGETS  # noqa: PLC0415 - see above

    target = next(target for target in TARGETS if target.name == name)
    words = _beside(folder) / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words if word))
    arguments = [
        "torture.fuzz",
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-dict={words}",
        f"-max_len={_MAX_LENGTH}",
        f"-timeout={_TIMEOUT_S}",
        f"-rss_limit_mb={_MEMORY_MB + _inherited_mb()}",
        f"-artifact_prefix={_beside(folder)}/{name}-",
        "-error_exitcode=1",
        "-timeout_exitcode=1",
        "-print_final_stats=1",
        "-verbosity=1",
        str(folder),
        str(CORPUS / name),
    ]

    def once(data: bytes) -> None:
        give(target, data)

    atheris.Setup(arguments, once)
    atheris.Fuzz()


def _beside(folder: Path) -> Path:
    found = folder.with_name(f"{folder.name}.found")
    found.mkdir(exist_ok=True)
    return found


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _plain(name: str, seconds: int, folder: Path, seed: int) -> int:
    from torture.fuzz.running import FoundError, give_many, replay  # noqa: PLC0415 - `_guided` must be first
    from torture.fuzz.targets import TARGETS  # noqa: PLC0415 - see above

    target = next(target for target in TARGETS if target.name == name)
    kept = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
    seeds = corpus(name) + kept
    started = time.monotonic()
    try:
        replay(target, seeds)
        luck = Random(f"{seed} {name}")  # noqa: S311 - to be repeated
        score = give_many(target, seeds, luck, seconds=seconds)
    except FoundError as found:
        print(found, file=sys.stderr)
        path = _beside(folder) / f"{name}-{hashlib.sha256(found.data).hexdigest()[:16]}"
        path.write_bytes(found.data)
        print(f"written to {path}", file=sys.stderr)
        return 1
    took = time.monotonic() - started
    print(
        f"{name}: {score.inputs:,} inputs of {len(seeds)} seeds in {took:.0f} s, "
        f"{score.mutations:,} mutations, {score.taken:,} taken"
    )
    return 0


def _inherited_mb() -> int:
    # Linux: a process begins with the peak of the one that started it.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    sys.exit(main())
