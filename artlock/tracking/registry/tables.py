"""The tables, as queries name them; ``migrations`` makes them, and a test compares both.

::

    artifacts --< versions --< tags, metadata
        |          |  |  +---< edges >-- runs
        +--< aliases  +- digest -- snapshots --< snapshot_pieces >-- pieces -- base, a piece

    outbox      what other trackers still have to be told; its texts are snapshots too

Every name begins with ``artlock_``, because a team's database may hold more than this.
Rows of versions, snapshots and pieces are written once and neither changed nor deleted.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()
NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""For keys that the database gives: SQLite gives them to ``INTEGER`` alone."""

ARTIFACTS = Table(
    "artlock_artifacts",
    METADATA,
    Column("id", NUMBER, autoincrement=True),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("id", name="artlock_artifacts_key"),
    UniqueConstraint("name", name="artlock_artifacts_name"),
)
SNAPSHOTS = Table(
    "artlock_snapshots",
    METADATA,
    Column("id", NUMBER, autoincrement=True),
    Column("digest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    PrimaryKeyConstraint("id", name="artlock_snapshots_key"),
    UniqueConstraint("digest", name="artlock_snapshots_digest"),
)
PIECES = Table(
    "artlock_pieces",
    METADATA,
    Column("id", NUMBER, autoincrement=True),
    Column("digest", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("base", BigInteger),
    Column("depth", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id", name="artlock_pieces_key"),
    UniqueConstraint("digest", name="artlock_pieces_digest"),
    ForeignKeyConstraint(["base"], ["artlock_pieces.id"], name="artlock_pieces_base"),
)
SNAPSHOT_PIECES = Table(
    "artlock_snapshot_pieces",
    METADATA,
    Column("snapshot", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("piece", BigInteger, nullable=False),
    Column("place", LargeBinary, nullable=False),
    PrimaryKeyConstraint("snapshot", "position", name="artlock_snapshot_pieces_key"),
    ForeignKeyConstraint(
        ["snapshot"], ["artlock_snapshots.id"], name="artlock_snapshot_pieces_snapshot"
    ),
    ForeignKeyConstraint(
        ["piece"], ["artlock_pieces.id"], name="artlock_snapshot_pieces_piece"
    ),
)
VERSIONS = Table(
    "artlock_versions",
    METADATA,
    Column("artifact", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("each", Boolean, nullable=False),
    Column("parent", Integer),
    Column("objects", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("trust", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("git_commit", Text),
    Column("git_dirty", Boolean, nullable=False),
    Column("git_remote", Text),
    Column("author", Text),
    PrimaryKeyConstraint("artifact", "number", name="artlock_versions_key"),
    UniqueConstraint("artifact", "digest", name="artlock_versions_digest"),
    CheckConstraint("number > 0", name="artlock_versions_number"),
    ForeignKeyConstraint(
        ["artifact"], ["artlock_artifacts.id"], name="artlock_versions_artifact"
    ),
    ForeignKeyConstraint(
        ["digest"], ["artlock_snapshots.digest"], name="artlock_versions_snapshot"
    ),
    ForeignKeyConstraint(
        ["artifact", "parent"],
        ["artlock_versions.artifact", "artlock_versions.number"],
        name="artlock_versions_parent",
    ),
)


def _of_a_version(name: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["artifact", "number"],
        ["artlock_versions.artifact", "artlock_versions.number"],
        name=name,
    )


ALIASES = Table(
    "artlock_aliases",
    METADATA,
    Column("artifact", BigInteger, nullable=False),
    Column("alias", Text, nullable=False),
    Column("number", Integer, nullable=False),
    PrimaryKeyConstraint("artifact", "alias", name="artlock_aliases_key"),
    _of_a_version("artlock_aliases_version"),
)
TAGS = Table(
    "artlock_tags",
    METADATA,
    Column("artifact", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("tag", Text, nullable=False),
    PrimaryKeyConstraint("artifact", "number", "tag", name="artlock_tags_key"),
    _of_a_version("artlock_tags_version"),
)
METAS = Table(
    "artlock_metadata",
    METADATA,
    Column("artifact", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("artifact", "number", "name", name="artlock_metadata_key"),
    _of_a_version("artlock_metadata_version"),
)
RUNS = Table(
    "artlock_runs",
    METADATA,
    Column("id", NUMBER, autoincrement=True),
    Column("service", Text, nullable=False),
    Column("run", Text, nullable=False),
    PrimaryKeyConstraint("id", name="artlock_runs_key"),
    UniqueConstraint("service", "run", name="artlock_runs_run"),
)
EDGES = Table(
    "artlock_edges",
    METADATA,
    Column("id", NUMBER, autoincrement=True),
    Column("artifact", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("time", Text, nullable=False),
    PrimaryKeyConstraint("id", name="artlock_edges_key"),
    UniqueConstraint("artifact", "number", "role", "run", name="artlock_edges_edge"),
    CheckConstraint("role in ('produced', 'consumed')", name="artlock_edges_role"),
    ForeignKeyConstraint(["run"], ["artlock_runs.id"], name="artlock_edges_run"),
    _of_a_version("artlock_edges_version"),
)
OUTBOX = Table(
    "artlock_outbox",
    METADATA,
    Column("id", NUMBER, autoincrement=True),
    Column("created", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("run_service", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("each", Boolean, nullable=False),
    Column("number", Integer),
    Column("provenance", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", Float, nullable=False),
    Column("last_error", Text),
    Column("native", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("id", name="artlock_outbox_key"),
    UniqueConstraint(
        *("target", "kind", "name", "digest", "run_service", "run"),
        name="artlock_outbox_parcel",
    ),
    CheckConstraint("kind in ('push', 'input')", name="artlock_outbox_kind"),
    CheckConstraint(
        "state in ('pending', 'sending', 'done', 'dead')", name="artlock_outbox_state"
    ),
    Index("artlock_outbox_order", "target", "name", "id"),
    Index("artlock_outbox_waiting", "state", "id"),
    sqlite_autoincrement=True,  # the number of a parcel that was dropped is not given again
)
"""A run that there is none of has an empty ``run``: equal texts are equal, nulls are not.
``provenance``, ``labels`` and ``last_error`` are JSON: nothing is looked for in them."""
