"""``resolve`` and ``update``: what a listing costs."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import data
from benchmarks.comparison import Comparison, Peer
from benchmarks.ground import Ground
from benchmarks.peers.commands import s5cmd_list


def listing(ground: Ground) -> Iterator[Comparison]:
    """Yield ``resolve`` of all anew, and ``update`` with nothing changed."""
    count = ground.sizes.listed
    what = f"{count:,} objects"
    files = data.small_files(count, data.TINY)
    objects = data.load_s3_fast(ground.servers, "listed", what, files)
    project = ground.project("listed", objects.uri)
    peer = s5cmd_list(ground, objects)
    endpoint = ground.servers.s3.endpoint
    yield Comparison(
        what=f"`resolve --regenerate`, {what}",
        ours=ground.artlock("artlock resolve", "resolve", "--regenerate", project=project),
        peers=(Peer(contender=peer, target=1.0, stretch=0.5),),
        endpoint=endpoint,
    )
    yield Comparison(
        what=f"`update`, nothing changed, {what}",
        ours=ground.artlock("artlock update", "update", project=project),
        peers=(Peer(contender=peer, target=1.2),),
        endpoint=endpoint,
    )
