"""The first schema: the log, its projections, the side tables.

Revision 0001. A revision is history: it is never changed, and does not follow `schema.py`; a test compares the two.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STR = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INT = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "agent_cursors",
        sa.Column("agent", STR, autoincrement=False, nullable=False),
        sa.Column("sequence", INT, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("agent"),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", STR, autoincrement=False, nullable=False),
        sa.Column("secret_blake3", STR, nullable=False),
        sa.Column("tenant", STR, nullable=False),
        sa.Column("role", STR, nullable=False),
        sa.Column("note", STR, nullable=False),
        sa.Column("sites", STR, nullable=False),
        sa.Column("issued_us", INT, nullable=False),
        sa.Column("revoked_us", INT, nullable=True),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_table(
        "attempts",
        sa.Column("attempt_id", STR, autoincrement=False, nullable=False),
        sa.Column("task_id", STR, nullable=False),
        sa.Column("plan_id", STR, nullable=False),
        sa.Column("site", STR, nullable=False),
        sa.Column("fence", INT, nullable=False),
        sa.Column("stage", STR, nullable=False),
        sa.Column("opened_us", INT, nullable=False),
        sa.Column("running_us", INT, nullable=True),
        sa.Column("closed_us", INT, nullable=True),
        sa.Column("succeeded", sa.Boolean(), nullable=True),
        sa.Column("reason", STR, nullable=True),
        sa.Column("detail", STR, nullable=True),
        sa.Column("exit_code", INT, nullable=True),
        sa.Column("signal", INT, nullable=True),
        sa.Column("held_start_us", INT, nullable=True),
        sa.Column("held_end_us", INT, nullable=True),
        sa.Column("usage", STR, nullable=True),
        sa.Column("outputs", STR, nullable=True),
        sa.Column("position", INT, nullable=False),
        sa.Column("ordinal", INT, nullable=False),
        sa.PrimaryKeyConstraint("attempt_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("attempts_by_task", "attempts", ["task_id", "fence"], unique=False)
    op.create_index(
        "attempts_open",
        "attempts",
        ["attempt_id"],
        unique=False,
        sqlite_where=sa.text("closed_us IS NULL"),
        postgresql_where=sa.text("closed_us IS NULL"),
    )
    op.create_table(
        "charges",
        sa.Column("position", POSITION, autoincrement=False, nullable=False),
        sa.Column("ordinal", POSITION, autoincrement=False, nullable=False),
        sa.Column("charge_id", STR, nullable=False),
        sa.Column("task_id", STR, nullable=False),
        sa.Column("attempt_id", STR, nullable=False),
        sa.Column("tenant", STR, nullable=False),
        sa.Column("creditor", STR, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("item", STR, nullable=False),
        sa.Column("quantity", STR, nullable=False),
        sa.Column("price_micro_yuan", INT, nullable=False),
        sa.Column("per", STR, nullable=False),
        sa.Column("permille", INT, nullable=False),
        sa.Column("amount_micro_yuan", INT, nullable=False),
        sa.Column("emulated", sa.Boolean(), nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", "ordinal"),
        sqlite_with_rowid=False,
    )
    op.create_index("charges_by_id", "charges", ["charge_id"], unique=True)
    op.create_index("charges_by_task", "charges", ["task_id", "position", "ordinal"], unique=False)
    op.create_index("charges_by_tenant", "charges", ["tenant", "position", "ordinal"], unique=False)
    op.create_table(
        "grids",
        sa.Column("position", POSITION, autoincrement=False, nullable=False),
        sa.Column("ordinal", POSITION, autoincrement=False, nullable=False),
        sa.Column("grid_id", STR, nullable=False),
        sa.Column("digest", STR, nullable=False),
        sa.Column("text", STR, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.PrimaryKeyConstraint("position", "ordinal"),
    )
    op.create_table(
        "links",
        sa.Column("link", STR, autoincrement=False, nullable=False),
        sa.Column("up", sa.Boolean(), nullable=False),
        sa.Column("principal", STR, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("link"),
    )
    op.create_table(
        "log",
        sa.Column("position", POSITION, autoincrement=False, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.Column("records", INT, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("checksum", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "object_tenants",
        sa.Column("blake3", STR, autoincrement=False, nullable=False),
        sa.Column("tenant", STR, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("blake3", "tenant"),
    )
    op.create_table(
        "objects",
        sa.Column("blake3", STR, autoincrement=False, nullable=False),
        sa.Column("size_bytes", INT, nullable=False),
        sa.PrimaryKeyConstraint("blake3"),
    )
    op.create_table(
        "outbox",
        sa.Column("task_id", STR, autoincrement=False, nullable=False),
        sa.Column("attempt_id", STR, autoincrement=False, nullable=False),
        sa.Column("kind", STR, autoincrement=False, nullable=False),
        sa.Column("plan_id", STR, nullable=False),
        sa.Column("site", STR, nullable=False),
        sa.Column("fence", INT, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.Column("ordinal", INT, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "attempt_id", "kind"),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_by_site", "outbox", ["site", "position", "ordinal"], unique=False)
    op.create_table(
        "plans",
        sa.Column("plan_id", STR, autoincrement=False, nullable=False),
        sa.Column("task_id", STR, nullable=False),
        sa.Column("lease_id", STR, nullable=False),
        sa.Column("generation", INT, nullable=False),
        sa.Column("parent", STR, nullable=True),
        sa.Column("site", STR, nullable=False),
        sa.Column("pool", STR, nullable=False),
        sa.Column("emulated", sa.Boolean(), nullable=False),
        sa.Column("start_us", INT, nullable=False),
        sa.Column("run_start_us", INT, nullable=False),
        sa.Column("end_us", INT, nullable=False),
        sa.Column("lease_end_us", INT, nullable=False),
        sa.Column("quote_micro_yuan", INT, nullable=False),
        sa.Column("committed_us", INT, nullable=False),
        sa.Column("released_us", INT, nullable=True),
        sa.Column("drop_reason", STR, nullable=True),
        sa.Column("body", STR, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.Column("ordinal", INT, nullable=False),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_index("plans_by_task", "plans", ["task_id", "generation"], unique=False)
    op.create_index(
        "plans_held",
        "plans",
        ["plan_id"],
        unique=False,
        sqlite_where=sa.text("released_us IS NULL"),
        postgresql_where=sa.text("released_us IS NULL"),
    )
    op.create_table(
        "secrets",
        sa.Column("task_id", STR, autoincrement=False, nullable=False),
        sa.Column("name", STR, autoincrement=False, nullable=False),
        sa.Column("value", STR, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "name"),
    )
    op.create_table(
        "sites",
        sa.Column("site", STR, autoincrement=False, nullable=False),
        sa.Column("agent", STR, nullable=True),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("emulated", sa.Boolean(), nullable=False),
        sa.Column("cause", STR, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("site"),
    )
    op.create_table(
        "task_events",
        sa.Column("task_id", STR, autoincrement=False, nullable=False),
        sa.Column("position", POSITION, autoincrement=False, nullable=False),
        sa.Column("ordinal", POSITION, autoincrement=False, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.Column("kind", STR, nullable=False),
        sa.Column("body", STR, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "position", "ordinal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "task_tags",
        sa.Column("tag", STR, autoincrement=False, nullable=False),
        sa.Column("task_id", STR, autoincrement=False, nullable=False),
        sa.Column("value", STR, nullable=False),
        sa.PrimaryKeyConstraint("tag", "task_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tasks",
        sa.Column("task_id", STR, autoincrement=False, nullable=False),
        sa.Column("tenant", STR, nullable=False),
        sa.Column("principal", STR, nullable=False),
        sa.Column("name", STR, nullable=False),
        sa.Column("phase", STR, nullable=False),
        sa.Column("wait_reason", STR, nullable=True),
        sa.Column("wait_until_us", INT, nullable=True),
        sa.Column("reason", STR, nullable=True),
        sa.Column("detail", STR, nullable=True),
        sa.Column("submitted_us", INT, nullable=False),
        sa.Column("cancel_us", INT, nullable=True),
        sa.Column("ended_us", INT, nullable=True),
        sa.Column("generation", INT, nullable=False),
        sa.Column("fence", INT, nullable=False),
        sa.Column("plan_id", STR, nullable=True),
        sa.Column("attempt_id", STR, nullable=True),
        sa.Column("site", STR, nullable=True),
        sa.Column("pool", STR, nullable=True),
        sa.Column("emulated", sa.Boolean(), nullable=False),
        sa.Column("quote_micro_yuan", INT, nullable=True),
        sa.Column("billed_micro_yuan", INT, nullable=False),
        sa.Column("deadline_us", INT, nullable=True),
        sa.Column("preference", STR, nullable=False),
        sa.Column("progress_permille", INT, nullable=True),
        sa.Column("idempotency_key", STR, nullable=True),
        sa.Column("tags", STR, nullable=False),
        sa.Column("request", STR, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_index(
        "tasks_by_idempotency",
        "tasks",
        ["tenant", "idempotency_key"],
        unique=True,
        sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index("tasks_by_phase", "tasks", ["phase", "task_id", "tenant"], unique=False)
    op.create_index("tasks_by_tenant", "tasks", ["tenant", "task_id"], unique=False)
    op.create_table(
        "tenants",
        sa.Column("tenant", STR, autoincrement=False, nullable=False),
        sa.Column("body", STR, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.Column("position", INT, nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )
