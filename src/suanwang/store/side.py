"""The side tables: secrets of live tasks, and what objects the grid keeps. Neither is in the log."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import bindparam, select

from suanwang.model.ids import TaskId
from suanwang.store import schema as s
from suanwang.store.archive import ObjectNote
from suanwang.store.connect import errors
from suanwang.store.reading import Reads
from suanwang.store.rows import ObjectRow
from suanwang.store.writer import Writer


class SideTables(Reads):
    """Secrets and objects; from any thread."""

    def writing(self) -> AbstractContextManager[Writer]:
        """The writer inside a transaction."""
        raise NotImplementedError

    def put_secrets(self, task_id: str, values: Mapping[str, str]) -> None:
        """Keep the secrets of a task until it ends. They leave the store only through `get_secrets`."""
        with self.writing() as writer:
            add_secrets(writer, {task_id: values})

    def get_secrets(self, task_id: str) -> dict[str, str]:
        query = select(s.secrets.c.name, s.secrets.c.value).where(s.secrets.c.task_id == task_id)
        return {row["name"]: row["value"] for row in self._all(query)}

    def tasks_with_secrets(self) -> set[TaskId]:
        return {TaskId(row["task_id"]) for row in self._all(select(s.secrets.c.task_id).distinct())}

    def delete_secrets(self, task_id: str) -> None:
        with self.writing() as writer:
            drop_secrets(writer, [task_id])

    def note_object(self, blake3: str, size_bytes: int, tenant: str) -> None:
        """An object is kept, and this tenant may read it. Saying it again changes nothing."""
        with self.writing() as writer:
            add_objects(writer, [ObjectNote(blake3=blake3, size_bytes=size_bytes, tenants=(tenant,))])

    def object_info(self, blake3: str) -> ObjectRow | None:
        sizes = select(s.objects.c.size_bytes).where(s.objects.c.blake3 == blake3)
        owners = select(s.object_tenants.c.tenant).where(s.object_tenants.c.blake3 == blake3)
        with errors(), self.reading() as connection:
            size = connection.execute(sizes).scalar_one_or_none()
            tenants = frozenset(connection.execute(owners).scalars())
        return None if size is None else ObjectRow(blake3, size, tenants)


def add_secrets(writer: Writer, secrets: Mapping[str, Mapping[str, str]]) -> None:
    """Inside a transaction: put secrets by task; one that is there is replaced."""
    rows: list[tuple[Any, ...]] = [(task, name, value) for task, one in secrets.items() for name, value in one.items()]
    gone = s.secrets.delete().where(s.secrets.c.task_id == bindparam("task"), s.secrets.c.name == bindparam("name"))
    writer.many(gone, [row[:2] for row in rows])
    writer.many(s.secrets.insert(), rows)


def drop_secrets(writer: Writer, task_ids: list[str]) -> None:
    """Inside a transaction: the secrets of these tasks go."""
    writer.many(s.secrets.delete().where(s.secrets.c.task_id == bindparam("task")), [(one,) for one in task_ids])


def drop_orphan_secrets(writer: Writer) -> None:
    """Inside a transaction: secrets without a live task go (a submit that was cut off)."""
    live = select(s.tasks.c.task_id).where(s.tasks.c.ended_us.is_(None))
    writer.many(s.secrets.delete().where(s.secrets.c.task_id.not_in(live)), [()])


def add_objects(writer: Writer, notes: Sequence[ObjectNote]) -> None:
    """Inside a transaction: note objects; what is known stays as it is."""
    insert = writer.statements.insert_new
    writer.many(insert(s.objects), [(one.blake3, one.size_bytes) for one in notes])
    writer.many(insert(s.object_tenants), [(one.blake3, tenant) for one in notes for tenant in one.tenants])
