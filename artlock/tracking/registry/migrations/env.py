"""What Alembic runs to change the schema of a registry; see ``schema.upgrade``."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="artlock_version",
    transactional_ddl=True,  # SQLite can; Alembic does not expect it
)
with context.begin_transaction():  # the caller's, who ends it
    context.run_migrations()
