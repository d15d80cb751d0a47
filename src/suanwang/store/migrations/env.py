"""Alembic runs this for each migration, on the connection that `store/migrate.py` hands over."""

from alembic import context

from suanwang.store.schema import metadata

# One transaction for all steps, on SQLite too: a power cut leaves the old schema or the new one.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
