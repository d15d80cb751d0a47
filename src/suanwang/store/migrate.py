"""The schema's version: made or brought up at open."""

from sqlalchemy.engine import Engine

from suanwang.store.schema import metadata


def migrate(engine: Engine, *, memory: bool) -> None:
    metadata.create_all(engine)


def check_schema(engine: Engine) -> None:
    pass
