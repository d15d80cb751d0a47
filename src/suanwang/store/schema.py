"""The tables, once, for both engines. `log` is the truth; every other table but the side tables is projected.

A projected row carries `position`, the log position that it reflects. Instants are microseconds since 1970 UTC,
money is micro-yuan. Text sorts by code point on both engines (collation "C"), so pages have one order.
Tables of short rows have no row id in SQLite: one b-tree where there would be two. Rows of kilobytes (tasks, plans)
have one, since they would crowd the inner nodes of their key's b-tree.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

metadata = MetaData()
STR: Final[TypeEngine[str]] = Text().with_variant(Text(collation="C"), "postgresql")
# In SQLite an INTEGER primary key is the row id itself: no second index for the log.
POSITION: Final[TypeEngine[int]] = BigInteger().with_variant(Integer(), "sqlite")


def _key(name: str, type_: TypeEngine[Any] = STR) -> Column[Any]:
    return Column(name, type_, primary_key=True, autoincrement=False)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, STR, nullable=null)


def _int(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _bool(name: str, *, null: bool = False) -> Column[bool]:
    return Column(name, Boolean(create_constraint=False), nullable=null)


def _place() -> tuple[Column[int], Column[int]]:
    """Where in the log the row was born: the batch and the record in it."""
    return _int("position"), _int("ordinal")


log = Table(
    "log",
    metadata,
    _key("position", POSITION),
    _int("at_us"),
    _int("records"),
    Column("payload", LargeBinary, nullable=False),  # see chain.py
    Column("checksum", LargeBinary, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    _key("task_id"),
    _text("tenant"),
    _text("principal"),
    _text("name"),
    _text("phase"),
    _text("wait_reason", null=True),
    _int("wait_until_us", null=True),
    _text("reason", null=True),  # why it ended: a FailureReason, or the first RefusalReason
    _text("detail", null=True),
    _int("submitted_us"),
    _int("cancel_us", null=True),
    _int("ended_us", null=True),
    _int("generation"),
    _int("fence"),
    _text("plan_id", null=True),
    _text("attempt_id", null=True),
    _text("site", null=True),
    _text("pool", null=True),
    _bool("emulated"),
    _int("quote_micro_yuan", null=True),
    _int("billed_micro_yuan"),
    _int("deadline_us", null=True),
    _text("preference"),
    _int("progress_permille", null=True),
    _text("idempotency_key", null=True),
    _text("tags"),
    _text("request"),
    _int("position"),
)
# By phase in the order of pages; the tenant stands behind, so that counting reads the index alone.
Index("tasks_by_phase", tasks.c.phase, tasks.c.task_id, tasks.c.tenant)
Index("tasks_by_tenant", tasks.c.tenant, tasks.c.task_id)
Index(
    "tasks_by_idempotency",
    tasks.c.tenant,
    tasks.c.idempotency_key,
    unique=True,
    sqlite_where=tasks.c.idempotency_key.is_not(None),
    postgresql_where=tasks.c.idempotency_key.is_not(None),
)

task_tags = Table(
    "task_tags",
    metadata,
    _key("tag"),
    _key("task_id"),
    _text("value"),
    sqlite_with_rowid=False,
)

task_events = Table(
    "task_events",
    metadata,
    _key("task_id"),
    _key("position", POSITION),
    _key("ordinal", POSITION),
    _int("at_us"),
    _text("kind"),
    _text("body"),
    sqlite_with_rowid=False,
)

plans = Table(
    "plans",
    metadata,
    _key("plan_id"),
    _text("task_id"),
    _text("lease_id"),
    _int("generation"),
    _text("parent", null=True),
    _text("site"),
    _text("pool"),
    _bool("emulated"),
    _int("start_us"),
    _int("run_start_us"),
    _int("end_us"),
    _int("lease_end_us"),  # end_us, or later where the lease was extended
    _int("quote_micro_yuan"),
    _int("committed_us"),
    _int("released_us", null=True),  # its lease ended: dropped, or its attempt was closed
    _text("drop_reason", null=True),
    _text("body"),  # empty where `logged` says where it is
    *_place(),
    _int("logged", null=True),  # the row of the log whose batch holds the plan
)
Index("plans_by_task", plans.c.task_id, plans.c.generation)
Index(
    "plans_held",
    plans.c.plan_id,
    sqlite_where=plans.c.released_us.is_(None),
    postgresql_where=plans.c.released_us.is_(None),
)

attempts = Table(
    "attempts",
    metadata,
    _key("attempt_id"),
    _text("task_id"),
    _text("plan_id"),
    _text("site"),
    _int("fence"),
    _text("stage"),  # the last effective event but progress; "opened" before the first
    _int("opened_us"),
    _int("running_us", null=True),  # by the site's clock
    _int("closed_us", null=True),
    _bool("succeeded", null=True),
    _text("reason", null=True),
    _text("detail", null=True),
    _int("exit_code", null=True),
    _int("signal", null=True),
    _int("held_start_us", null=True),
    _int("held_end_us", null=True),
    _text("usage", null=True),
    _text("outputs", null=True),
    *_place(),
    sqlite_with_rowid=False,
)
Index("attempts_by_task", attempts.c.task_id, attempts.c.fence)
Index(
    "attempts_open",
    attempts.c.attempt_id,
    sqlite_where=attempts.c.closed_us.is_(None),
    postgresql_where=attempts.c.closed_us.is_(None),
)

charges = Table(
    "charges",
    metadata,
    _key("position", POSITION),
    _key("ordinal", POSITION),
    _text("charge_id"),
    _text("task_id"),
    _text("attempt_id"),
    _text("tenant"),
    _text("creditor"),
    _text("kind"),
    _text("item"),
    _text("quantity"),  # decimal digits: byte-microseconds pass 64 bits
    _int("price_micro_yuan"),
    _text("per"),
    _int("permille"),
    _int("amount_micro_yuan"),
    _bool("emulated"),
    _int("at_us"),
    sqlite_with_rowid=False,
)
Index("charges_by_id", charges.c.charge_id, unique=True)
Index("charges_by_tenant", charges.c.tenant, charges.c.position, charges.c.ordinal)
Index("charges_by_task", charges.c.task_id, charges.c.position, charges.c.ordinal)

outbox = Table(
    "outbox",
    metadata,
    _key("task_id"),
    _key("attempt_id"),
    _key("kind"),
    _text("plan_id"),
    _text("site"),
    _int("fence"),
    *_place(),
    sqlite_with_rowid=False,
)
Index("outbox_by_site", outbox.c.site, outbox.c.position, outbox.c.ordinal)

agent_cursors = Table("agent_cursors", metadata, _key("agent"), _int("sequence"), _int("position"))

grids = Table(
    "grids",
    metadata,
    _key("position", POSITION),
    _key("ordinal", POSITION),
    _text("grid_id"),
    _text("digest"),
    _text("text"),
    _int("at_us"),
)

sites = Table(
    "sites",
    metadata,
    _key("site"),
    _text("agent", null=True),
    _bool("live"),
    _bool("emulated"),
    _text("cause"),
    _int("at_us"),
    _int("position"),
)

links = Table(
    "links",
    metadata,
    _key("link"),
    _bool("up"),
    _text("principal"),
    _int("at_us"),
    _int("position"),
)

security_pools = Table(
    "security_pools",
    metadata,
    _key("security_pool"),
    _bool("up"),
    _text("cause"),
    _text("principal"),
    _text("agent", null=True),
    _int("at_us"),
    _int("position"),
)

tenants = Table("tenants", metadata, _key("tenant"), _text("body"), _int("at_us"), _int("position"))

api_keys = Table(
    "api_keys",
    metadata,
    _key("key_id"),
    _text("secret_blake3"),
    _text("tenant"),
    _text("role"),
    _text("note"),
    _text("sites"),
    _int("issued_us"),
    _int("revoked_us", null=True),
    _int("position"),
)

# How far the projections are. One row, "projections".
progress = Table("progress", metadata, _key("name"), _int("position"))

# Side tables: neither in the log nor projected from it.
secrets = Table("secrets", metadata, _key("task_id"), _key("name"), _text("value"))
objects = Table("objects", metadata, _key("blake3"), _int("size_bytes"))
object_tenants = Table("object_tenants", metadata, _key("blake3"), _key("tenant"))

SIDE: Final = (secrets, objects, object_tenants)
PROJECTED: Final = tuple(table for table in metadata.sorted_tables if table not in (log, progress, *SIDE))
