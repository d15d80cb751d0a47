"""The schema's version: read at every open, brought up where it is older, refused where it is newer.

Only a writer migrates, under the writer's lock. Alembic is loaded only when there is something to do.
"""

from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

from sqlalchemy import inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.schema import CreateIndex, CreateTable

from suanwang.model.error import StoreError
from suanwang.store.schema import metadata

HEAD: Final = "0003"  # the newest revision; a test holds it against the files
REVISIONS: Final = ("0001", "0002", "0003")  # oldest first
FOLDER: Final = Path(__file__).parent / "migrations"
_ALEMBIC: Final = Lock()  # Alembic's context is one per process


def migrate(engine: Engine, *, memory: bool) -> None:
    """Make or bring up the schema. StoreError `store_newer` or `store_foreign` where it is not ours to touch."""
    if memory:
        with engine.begin() as connection:
            for statement in _memory_ddl():
                connection.exec_driver_sql(statement)
        return
    if schema_version(engine) == HEAD:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    with _ALEMBIC, engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def check_schema(engine: Engine) -> None:
    """For a reader, who migrates nothing: StoreError where the schema is not today's."""
    version = schema_version(engine)
    if version != HEAD:
        raise StoreError("store_older", got=version or "none", expected=HEAD)


def schema_version(engine: Engine) -> str | None:
    """The revision of the schema; None of an empty database."""
    tables = inspect(engine).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreError("store_foreign", got=", ".join(sorted(tables)[:5]))
    with engine.connect() as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if version is not None and version not in REVISIONS:
        raise StoreError("store_newer", got=str(version), expected=HEAD)
    return None if version is None else str(version)


@cache
def _memory_ddl() -> tuple[str, ...]:
    """Today's schema as SQLite text: a memory store lives in one process and has no history to migrate."""
    dialect = sqlite.dialect()
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in sorted(table.indexes, key=str)]
    return tuple(statements)
