"""Names, versions, labels, snapshots, and the runs that made and used them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables of an empty registry."""
    op.create_table(
        "artlock_artifacts",
        sa.Column("id", _NUMBER, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="artlock_artifacts_key"),
        sa.UniqueConstraint("name", name="artlock_artifacts_name"),
    )
    op.create_table(
        "artlock_snapshots",
        sa.Column("id", _NUMBER, autoincrement=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="artlock_snapshots_key"),
        sa.UniqueConstraint("digest", name="artlock_snapshots_digest"),
    )
    op.create_table(
        "artlock_pieces",
        sa.Column("id", _NUMBER, autoincrement=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("base", sa.BigInteger),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="artlock_pieces_key"),
        sa.UniqueConstraint("digest", name="artlock_pieces_digest"),
        sa.ForeignKeyConstraint(
            ["base"], ["artlock_pieces.id"], name="artlock_pieces_base"
        ),
    )
    op.create_table(
        "artlock_snapshot_pieces",
        sa.Column("snapshot", sa.BigInteger, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("piece", sa.BigInteger, nullable=False),
        sa.Column("place", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("snapshot", "position", name="artlock_snapshot_pieces_key"),
        sa.ForeignKeyConstraint(
            ["snapshot"], ["artlock_snapshots.id"], name="artlock_snapshot_pieces_snapshot"
        ),
        sa.ForeignKeyConstraint(
            ["piece"], ["artlock_pieces.id"], name="artlock_snapshot_pieces_piece"
        ),
    )
    op.create_table(
        "artlock_versions",
        sa.Column("artifact", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("each", sa.Boolean, nullable=False),
        sa.Column("parent", sa.Integer),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("trust", sa.Text, nullable=False),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("git_commit", sa.Text),
        sa.Column("git_dirty", sa.Boolean, nullable=False),
        sa.Column("git_remote", sa.Text),
        sa.Column("author", sa.Text),
        sa.PrimaryKeyConstraint("artifact", "number", name="artlock_versions_key"),
        sa.UniqueConstraint("artifact", "digest", name="artlock_versions_digest"),
        sa.CheckConstraint("number > 0", name="artlock_versions_number"),
        sa.ForeignKeyConstraint(
            ["artifact"], ["artlock_artifacts.id"], name="artlock_versions_artifact"
        ),
        sa.ForeignKeyConstraint(
            ["digest"], ["artlock_snapshots.digest"], name="artlock_versions_snapshot"
        ),
        sa.ForeignKeyConstraint(
            ["artifact", "parent"],
            ["artlock_versions.artifact", "artlock_versions.number"],
            name="artlock_versions_parent",
        ),
    )
    op.create_table(
        "artlock_aliases",
        sa.Column("artifact", sa.BigInteger, nullable=False),
        sa.Column("alias", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("artifact", "alias", name="artlock_aliases_key"),
        sa.ForeignKeyConstraint(
            ["artifact", "number"],
            ["artlock_versions.artifact", "artlock_versions.number"],
            name="artlock_aliases_version",
        ),
    )
    op.create_table(
        "artlock_tags",
        sa.Column("artifact", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("artifact", "number", "tag", name="artlock_tags_key"),
        sa.ForeignKeyConstraint(
            ["artifact", "number"],
            ["artlock_versions.artifact", "artlock_versions.number"],
            name="artlock_tags_version",
        ),
    )
    op.create_table(
        "artlock_metadata",
        sa.Column("artifact", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("artifact", "number", "name", name="artlock_metadata_key"),
        sa.ForeignKeyConstraint(
            ["artifact", "number"],
            ["artlock_versions.artifact", "artlock_versions.number"],
            name="artlock_metadata_version",
        ),
    )
    op.create_table(
        "artlock_runs",
        sa.Column("id", _NUMBER, autoincrement=True),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="artlock_runs_key"),
        sa.UniqueConstraint("service", "run", name="artlock_runs_run"),
    )
    op.create_table(
        "artlock_edges",
        sa.Column("id", _NUMBER, autoincrement=True),
        sa.Column("artifact", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("run", sa.BigInteger, nullable=False),
        sa.Column("time", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="artlock_edges_key"),
        sa.UniqueConstraint("artifact", "number", "role", "run", name="artlock_edges_edge"),
        sa.CheckConstraint("role in ('produced', 'consumed')", name="artlock_edges_role"),
        sa.ForeignKeyConstraint(["run"], ["artlock_runs.id"], name="artlock_edges_run"),
        sa.ForeignKeyConstraint(
            ["artifact", "number"],
            ["artlock_versions.artifact", "artlock_versions.number"],
            name="artlock_edges_version",
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        # They are compressed already; the server need not try.
        op.execute("alter table artlock_pieces alter column data set storage external")
