"""What other trackers still have to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the outbox to a registry that has none."""
    op.create_table(
        "artlock_outbox",
        sa.Column("id", _NUMBER, autoincrement=True),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("run_service", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("each", sa.Boolean, nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("provenance", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try", sa.Float, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("native", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="artlock_outbox_key"),
        sa.UniqueConstraint(
            *("target", "kind", "name", "digest", "run_service", "run"),
            name="artlock_outbox_parcel",
        ),
        sa.CheckConstraint("kind in ('push', 'input')", name="artlock_outbox_kind"),
        sa.CheckConstraint(
            "state in ('pending', 'sending', 'done', 'dead')", name="artlock_outbox_state"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("artlock_outbox_order", "artlock_outbox", ["target", "name", "id"])
    op.create_index("artlock_outbox_waiting", "artlock_outbox", ["state", "id"])
