"""How far the projections are: a mark that moves in the transaction that moves them; where plans of batches are.

Revision 0002. A store of revision 0001 projected every row of its log in the transaction that wrote the row.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STR = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "progress",
        sa.Column("name", STR, autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.execute("INSERT INTO progress SELECT 'projections', coalesce(max(position), 0) FROM log")
    op.add_column("plans", sa.Column("logged", sa.BigInteger(), nullable=True))
