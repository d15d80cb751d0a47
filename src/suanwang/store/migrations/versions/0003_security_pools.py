"""Which security pools are out, and who took them out. Revision 0003. Older logs have no record of any."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STR = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "security_pools",
        sa.Column("security_pool", STR, autoincrement=False, nullable=False),
        sa.Column("up", sa.Boolean(), nullable=False),
        sa.Column("cause", STR, nullable=False),
        sa.Column("principal", STR, nullable=False),
        sa.Column("agent", STR, nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("security_pool"),
    )
