"""What a command costs that has next to nothing to do."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.comparison import Comparison, Peer
from benchmarks.data import make_files, small_files
from benchmarks.ground import Ground
from benchmarks.peers.commands import import_click, import_libraries


def startup(ground: Ground) -> Iterator[Comparison]:
    """Yield ``--version`` and ``check`` of a small project."""
    source = ground.folder / "handful"
    make_files(source, small_files(4, 1_000), seed="handful")
    small = ground.project("small", f"{source.as_uri()}/")
    click = import_click(ground)
    yield Comparison(
        what="`--version`",
        ours=ground.artlock("artlock --version", "--version", project=small),
        peers=(Peer(contender=click, target=1.3),),
    )
    yield Comparison(
        what="`check`, small project",
        ours=ground.artlock("artlock check", "check", project=small),
        peers=(
            Peer(contender=click, target=2.0),
            Peer(contender=import_libraries(ground)),
        ),
    )
