"""``sync`` with an empty cache and an empty workspace, beside whoever can download."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from benchmarks import data
from benchmarks.comparison import Comparison, Limit, Peer
from benchmarks.data import DataSet
from benchmarks.ground import Ground, Project
from benchmarks.peers.commands import (
    aws_copy,
    boto3_loop,
    copy_tree,
    floor,
    rclone_copy,
    read_loop,
    s5cmd_copy,
)
from benchmarks.peers.pinning import dvc_pull, pinning_peers
from benchmarks.timing import Contender


def many(ground: Ground) -> Iterator[Comparison]:
    """Yield the cold and the warm ``sync`` of many small objects."""
    count = ground.sizes.many
    files = data.small_files(count, data.SMALL)
    objects = data.load_s3(ground.servers, "many", f"{count:,} x 10 kB", files)
    project = ground.project("many", objects.uri)
    data.overwrite_one(ground.servers, objects)
    slow = [Peer(contender=rclone_copy(ground, objects))] if ground.sizes.is_long else []
    yield replace(
        _from_s3(
            ground,
            objects,
            project,
            Peer(contender=s5cmd_copy(ground, objects), target=1.0, stretch=0.7),
            *slow,
        ),
        # Counted with few objects (`some`): to pass on so many takes minutes.
        endpoint=ground.servers.s3.endpoint if ground.sizes.is_long else "",
    )
    loop = _at_nginx(ground, read_loop(ground, project))
    yield Comparison(
        what=f"cold `sync`, {objects.what}, nginx",
        ours=_at_nginx(ground, cold_sync(ground, project)),
        peers=(Peer(contender=loop, target=1.5, stretch=1.2),),
        pinned=objects.pinned,
    )
    yield Comparison(
        what=f"warm `sync`, {objects.what}",
        ours=replace(
            ground.artlock(
                "artlock sync", "sync", project=project, empty=(project.state, project.data)
            ),
            delivers=project.data,
        ),
        peers=(
            Peer(contender=copy_tree(ground, project), target=1.5, stretch=1.0),
            Peer(contender=_copy_floor(ground, project)),
        ),
        pinned=objects.pinned,
    )


def more(ground: Ground) -> Iterator[Comparison]:
    """Yield the cold ``sync`` beside DVC, most of which is its start if objects are few."""
    count = ground.sizes.more
    files = data.small_files(count, data.SMALL)
    objects = data.load_s3(ground.servers, "more", f"{count:,} x 10 kB", files)
    yield replace(
        _beside(
            ground, objects, (s5cmd_copy(ground, objects),), [dvc_pull(ground, objects)]
        ),
        endpoint="",  # counted with fewer
    )


def some(ground: Ground) -> Iterator[Comparison]:
    """Yield the cold ``sync`` of objects that are few enough for slow peers."""
    count = ground.sizes.some
    files = data.small_files(count, data.SMALL)
    objects = data.load_s3(ground.servers, "some", f"{count:,} x 10 kB", files)
    peers = (
        s5cmd_copy(ground, objects),
        rclone_copy(ground, objects),
        aws_copy(ground, objects),
        boto3_loop(ground, objects),
    )
    dvc, *others = pinning_peers(ground, objects)
    yield _beside(ground, objects, (*peers, dvc), others)  # `more` has a target for DVC


def model(ground: Ground) -> Iterator[Comparison]:
    """Yield the cold ``sync`` of a directory like that of a model."""
    sizes = ground.sizes
    files = [
        *data.encoder_files(),
        *data.model_files(sizes.shards, sizes.shard_size, sizes.samples),
    ]
    what = f"a model's directory of {len(files):,} files"
    objects = data.load_s3(ground.servers, "model", what, files)
    peers = [s5cmd_copy(ground, objects), rclone_copy(ground, objects)]
    if sizes.is_long:
        peers += [aws_copy(ground, objects), boto3_loop(ground, objects)]
    pinning = pinning_peers(ground, objects) if sizes.is_long else ()
    yield _beside(ground, objects, peers, pinning)


def big(ground: Ground) -> Iterator[Comparison]:
    """Yield the cold ``sync`` of a few large objects, copied and with hardlinks."""
    sizes = ground.sizes
    files = data.big_files(sizes.big, sizes.big_size)
    what = f"{sizes.big} x {sizes.big_size / 2**20:.0f} MB"
    objects = data.load_s3(ground.servers, "big", what, files)
    project = ground.project("big", objects.uri)
    durable = s5cmd_copy(ground, objects, durable=True)
    yield replace(
        _from_s3(
            ground,
            objects,
            project,
            Peer(contender=durable, target=1.3, stretch=1.0),
            Peer(contender=_write_floor(ground, "write all twice; sync", "2")),
        ),
        endpoint="",  # counted with links, below
    )
    yield Comparison(
        what=f"cold `sync --link-mode hardlink`, {what}",
        ours=cold_sync(ground, project, "--link-mode", "hardlink"),
        peers=(
            Peer(contender=s5cmd_copy(ground, objects), target=1.3, stretch=1.0),
            Peer(contender=_write_floor(ground, "write all; sync", "1")),
            Peer(contender=rclone_copy(ground, objects)),
        ),
        pinned=objects.pinned,
        endpoint=ground.servers.s3.endpoint,
    )


def gcs(ground: Ground) -> Iterator[Comparison]:
    """Yield the cold ``sync`` from Google Cloud Storage."""
    count = ground.sizes.some
    files = data.small_files(count, data.SMALL)
    objects = data.load_gcs(ground.servers, "google", f"{count:,} x 10 kB", files)
    project = ground.project("google", objects.uri)
    yield Comparison(
        what=f"cold `sync`, {objects.what}, fake-gcs-server",
        ours=cold_sync(ground, project),
        peers=(
            Peer(contender=rclone_copy(ground, objects)),
            Peer(contender=read_loop(ground, project)),
        ),
        pinned=objects.pinned,
        endpoint=ground.servers.gcs.endpoint,
        keep_host=False,
    )


def huge(ground: Ground) -> Iterator[Comparison]:
    """Yield the memory that one huge object takes."""
    size = ground.sizes.huge
    what = f"one object of {size / 2**30:.3g} GB"
    objects = data.load_s3(ground.servers, "huge", what, data.big_files(1, size))
    project = ground.project("huge", objects.uri)
    yield Comparison(
        what=f"memory of a cold `sync`, {what}",
        ours=cold_sync(ground, project),
        limits=(Limit(of="peak", target=200e6),),
        pinned=objects.pinned,
        rounds=1,
    )


def _beside(
    ground: Ground,
    objects: DataSet,
    peers: Iterable[Contender],
    pinning: Iterable[Contender],
) -> Comparison:
    """Hold a cold sync against peers; after all have pinned, an object changes."""
    project = ground.project(objects.bucket, objects.uri)
    data.overwrite_one(ground.servers, objects)
    return _from_s3(
        ground,
        objects,
        project,
        *(Peer(contender=each) for each in peers),
        # Five times as fast, ten times as fast.
        *(Peer(contender=each, target=0.2, stretch=0.1) for each in pinning),
    )


def _from_s3(
    ground: Ground, objects: DataSet, project: Project, *peers: Peer
) -> Comparison:
    return Comparison(
        what=f"cold `sync`, {objects.what}, SeaweedFS",
        ours=cold_sync(ground, project),
        peers=peers,
        pinned=objects.pinned,
        endpoint=ground.servers.s3.endpoint,
    )


def _copy_floor(ground: Ground, project: Project) -> Contender:
    goal = ground.folder / "floor"
    tree = ground.folder / f"{project.folder.name}-tree"  # that of `copy_tree`
    words = ("copy", str(tree), str(goal))
    return floor("hash, write, sync, rename in 2 processes", ground, goal, *words)


def _write_floor(ground: Ground, name: str, copies: str) -> Contender:
    goal, sizes = ground.folder / "written", ground.sizes
    words = (str(goal), copies, str(sizes.big), str(sizes.big_size))
    return floor(name, ground, goal, "write", *words)


def _at_nginx(ground: Ground, contender: Contender) -> Contender:
    """Let a contender read from nginx what is in S3 too."""
    static = ground.servers.static
    if static is None:
        return replace(contender, absent="nginx is not installed")
    return replace(contender, environ={"AWS_ENDPOINT_URL_S3": static.endpoint})


def cold_sync(ground: Ground, project: Project, *options: str) -> Contender:
    """Return ``sync`` with nothing in the cache and nothing in the workspace."""
    command = ground.artlock(
        "artlock sync",
        *("sync", *options),
        project=project,
        empty=(ground.cache, project.state, project.data),
    )
    return replace(command, delivers=project.data)
