"""Batches as packed columns (Arrow IPC, lz4), and back. One function a kind of batch and a way.

A pack is a byte for the kind, a digest, and two Arrow streams: the rows, and what the rows point into (paths of plans, lines of
bills), which has a row of its own for each. The digest is checked before Arrow sees a byte: what it reads it trusts. Numbers that may pass 64 bits are written as digits. What a pack says
depends on nothing but itself and, for plans, the grid that the log has adopted before it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from suanwang.model.batch import (
    AttemptsOpened,
    Batch,
    Closing,
    EventsHeard,
    Heard,
    Opened,
    PlansMade,
    Taken,
    TasksTaken,
)
from suanwang.model.compact import OTHERS_BYTES, CompactPlan, Route
from suanwang.model.event import EventKind, Usage
from suanwang.model.ids import ChargeId, LeaseId, PlanId, PoolId, SiteId, TaskId, TenantId
from suanwang.model.plan import ChargeKind, Demand
from suanwang.model.rows import EVENT_FIELDS, EventRow
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import LineRow
from suanwang.model.task import Preference, TaskRequest
from suanwang.store.fold import to_json
from suanwang.store.rows import read_outputs

Columns = Mapping[str, Sequence[Any]]
_DIGEST_BYTES: Final = 16
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4")
_I64, _I32, _STR, _BOOL = pa.int64(), pa.int32(), pa.string(), pa.bool_()
_INTS: Final = pa.list_(pa.int64())
_WORD: Final = pa.dictionary(pa.int32(), pa.string())  # text that comes again and again

TAKEN: Final = {
    "task_id": _STR,
    "key": _STR,
    "request": _STR,
    # What a projection tells of the request without reading it.
    "name": _STR,
    "deadline": _I64,
    "preference": _WORD,
    "tags": _STR,
}
PLANS: Final = {
    "plan_id": _STR,
    "task_id": _STR,
    "lease_id": _STR,
    "generation": _I64,
    "parent": _STR,
    "snapshot_version": _I64,
    "pool": _WORD,
    "emulated": _BOOL,
    "cores": _I64,
    "memory_bytes": _STR,
    "accelerators": _I64,
    "nodes": _I64,
    "shots": _I64,
    "start_us": _I64,
    "end_us": _I64,
    "route": _I32,
    "bandwidth_bps": _I64,
    "quote_micro_yuan": _I64,
    "carbon_mg": _I64,
    "others": pa.binary(OTHERS_BYTES),
    "verdicts": pa.binary(),
}
ROUTES: Final = {"origin": _WORD, "edges": _INTS, "pools": _INTS, "latency_us": _I64}
OPENED: Final = {"attempt_id": _STR, "task_id": _STR, "plan_id": _STR, "site": _WORD, "fence": _I64}
_USAGE: Final = tuple(Usage.model_fields)
HEARD: Final = {
    "agent": _WORD,
    "sequence": _I64,
    "site": _WORD,
    "attempt_id": _STR,
    "fence": _I64,
    "at_us": _I64,
    "kind": _WORD,
    "exit_code": _I64,
    "outputs": _STR,
    **{f"usage.{name}": _STR if name == "memory_byte_us" else _I64 for name in _USAGE},
    "task_id": _STR,  # null: the event ends nothing
    "tenant": _WORD,
    "lease_id": _STR,
    "held_start_us": _I64,
    "held_end_us": _I64,
    "emulated": _BOOL,
    "charges": _I32,  # how many rows of the second table are this event's
}
CHARGES: Final = {
    "charge_id": _STR,
    "creditor": _WORD,
    "kind": _WORD,
    "item": _WORD,
    "quantity": _STR,
    "price_micro_yuan": _I64,
    "per": _STR,
    "permille": _I64,
    "amount_micro_yuan": _I64,
}


def pack(batch: Batch) -> bytes:
    """The bytes of a batch."""
    number, write = _WRITERS[type(batch)]
    data = _joined(*write(batch))
    return bytes([number]) + _digest(data) + data


def unpack(data: bytes) -> Batch:
    """The batch of these bytes. ValueError where they are not as they were written, LookupError of a kind unknown."""
    meta, rows, more = _split(_sound(data))
    return _READERS[data[0]](meta, rows, more)


def find_plans(data: bytes, plan_ids: Sequence[str], index: GridIndex) -> list[CompactPlan]:
    """The plans of these ids that a pack holds; the others of the pack are not made. None of a pack of another kind."""
    if data[0] != _WRITERS[PlansMade][0]:
        return []
    rows, more = _streams(_sound(data))
    wanted = rows.filter(pc.is_in(rows["plan_id"], pa.array(plan_ids, _STR)))
    return PlanColumns(wanted.to_pydict(), more.to_pydict()).bind(index) if len(wanted) else []


def _digest(data: bytes) -> bytes:
    return blake3(data).digest(_DIGEST_BYTES)


def _sound(data: bytes) -> bytes:
    """What was packed, if it is whole."""
    body = data[1 + _DIGEST_BYTES :]
    if _digest(body) != data[1 : 1 + _DIGEST_BYTES]:
        raise ValueError("a pack is not as it was written")
    return body


def _joined(meta: Columns, rows: pa.RecordBatch, more: pa.RecordBatch) -> bytes:
    """The rows' stream with its length before it, and then the other."""
    head = _stream(rows.replace_schema_metadata({"meta": to_json(meta)}))
    return len(head).to_bytes(4, "big") + head + _stream(more)


def _split(data: bytes) -> tuple[dict[str, Any], Columns, Columns]:
    rows, more = _streams(data)
    return json.loads(rows.schema.metadata[b"meta"]), rows.to_pydict(), more.to_pydict()


def _streams(data: bytes) -> tuple[pa.Table, pa.Table]:
    size = int.from_bytes(data[:4], "big")
    return pa.ipc.open_stream(data[4 : 4 + size]).read_all(), pa.ipc.open_stream(data[4 + size :]).read_all()


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _table(types: Mapping[str, pa.DataType], columns: Columns) -> pa.RecordBatch:
    arrays = [_words(columns[name]) if kind is _WORD else pa.array(columns[name], kind) for name, kind in types.items()]
    return pa.RecordBatch.from_arrays(arrays, list(types))


def _words(column: Sequence[str | None]) -> pa.DictionaryArray:
    """A column of words that come again, as `dictionary_encode` makes it: in the order in which they first come."""
    words = [one for one in dict.fromkeys(column) if one is not None]
    place: dict[str | None, int | None] = {None: None, **dict(zip(words, range(len(words)), strict=True))}
    places = [*map(place.__getitem__, column)]
    return pa.DictionaryArray.from_arrays(pa.array(places, _I32), pa.array(words, _STR))


_NOTHING: Final = _table({"nothing": _I64}, {"nothing": []})


# -- tasks -----------------------------------------------------------------------------------------------------


_PREFERENCE: Final = {one: one.value for one in Preference}
_serializer: Final = TaskRequest.__pydantic_serializer__


def _request_text(request: TaskRequest) -> str:
    """`model_dump_json` of a request, without what that looks at for options that nobody gave."""
    return _serializer.to_json(request).decode()


def _write_taken(batch: TasksTaken) -> tuple[dict[str, Any], pa.RecordBatch, pa.RecordBatch]:
    task_ids, requests, keys = zip(*batch.rows, strict=True)
    labels = [tuple(one.tags.items()) for one in requests]
    texts = {some: to_json(dict(some)) if some else None for some in set(labels)}
    columns: dict[str, Sequence[Any]] = {
        "task_id": task_ids,
        "key": keys,
        "request": [*map(_request_text, requests)],
        "name": [one.name for one in requests],
        "deadline": [one.deadline for one in requests],
        "preference": [_PREFERENCE[one.preference] for one in requests],
        "tags": [texts[some] for some in labels],
    }
    meta = {"at_us": batch.at_us, "tenant": batch.tenant, "principal": batch.principal}
    return meta, _table(TAKEN, columns), _NOTHING


def _read_taken(meta: dict[str, Any], rows: Columns, _: Columns) -> TasksTaken:
    read = TaskRequest.model_validate_json
    taken = [
        Taken(TaskId(task_id), read(request), key)
        for task_id, request, key in zip(rows["task_id"], rows["request"], rows["key"], strict=True)
    ]
    return TasksTaken(meta["at_us"], TenantId(meta["tenant"]), meta["principal"], taken)


# -- plans -----------------------------------------------------------------------------------------------------


_OF_DEMAND: Final = ("cores", "memory_bytes", "accelerators", "nodes")
_OF_PLAN: Final = (
    *(name for name in PLANS if name in CompactPlan.__slots__),
    *("demand", "verdicts_written", "others_packed"),
)
_of_plan, _figures = attrgetter(*_OF_PLAN), attrgetter(*_OF_DEMAND)


def _write_plans(batch: PlansMade) -> tuple[dict[str, Any], pa.RecordBatch, pa.RecordBatch]:
    plans = batch.rows
    routes = list({id(one.route): one.route for one in plans}.values())
    for number, route in enumerate(routes):
        route.number = number
    columns = _turned(_OF_PLAN, [*map(_of_plan, plans)])
    demands = {id(one): _figures(one) for one in columns["demand"]}
    columns |= _turned(_OF_DEMAND, [demands[id(one)] for one in columns["demand"]])
    texts = {size: str(size) for size in set(columns["memory_bytes"])}
    columns["memory_bytes"] = [texts[size] for size in columns["memory_bytes"]]
    columns["route"] = [one.number for one in columns["route"]]
    columns["verdicts"], columns["others"] = columns["verdicts_written"], columns["others_packed"]
    paths: dict[str, list[Any]] = {
        "origin": [route.path.sites[0] for route in routes],
        "edges": [route.edges for route in routes],
        "pools": [route.pools for route in routes],
        "latency_us": [route.path.latency_us for route in routes],
    }
    return {"at_us": batch.at_us}, _table(PLANS, columns), _table(ROUTES, paths)


@dataclass(frozen=True)
class PlanColumns:
    """Plans as they were written."""

    rows: Columns
    routes: Columns

    def __len__(self) -> int:
        return len(self.rows["plan_id"])

    def task_ids(self) -> list[TaskId]:
        return list(self.rows["task_id"])

    def bind(self, index: GridIndex) -> list[CompactPlan]:
        """The plans on the grid that the log had adopted when they were made."""
        columns = (self.routes[name] for name in ROUTES)
        routes = [Route(index, SiteId(origin), *rest) for origin, *rest in zip(*columns, strict=True)]
        numbers = {pool: at for at, pool in enumerate(index.pool_order)}
        return [
            _plan(index, routes, numbers, dict(zip(PLANS, row, strict=True)))
            for row in zip(*(self.rows[name] for name in PLANS), strict=True)
        ]


def _plan(index: GridIndex, routes: list[Route], numbers: Mapping[PoolId, int], row: dict[str, Any]) -> CompactPlan:
    made = CompactPlan()
    made.index = index
    made.plan_id, made.task_id, made.lease_id = PlanId(row["plan_id"]), TaskId(row["task_id"]), LeaseId(row["lease_id"])
    made.generation, made.snapshot_version = row["generation"], row["snapshot_version"]
    made.parent = None if row["parent"] is None else PlanId(row["parent"])
    made.pool = PoolId(row["pool"])
    made.pool_number, made.site = numbers[made.pool], index.pools[made.pool][1].id
    made.emulated, made.shots, made.bandwidth_bps = row["emulated"], row["shots"], row["bandwidth_bps"]
    made.demand = Demand(
        cores=row["cores"],
        memory_bytes=int(row["memory_bytes"]),
        accelerators=row["accelerators"],
        nodes=row["nodes"],
    )
    made.start_us, made.end_us, made.route = row["start_us"], row["end_us"], routes[row["route"]]
    made.quote_micro_yuan, made.carbon_mg = row["quote_micro_yuan"], row["carbon_mg"]
    made.others_packed = row["others"]
    made.verdicts_written = row["verdicts"]
    made.forget()
    return made


def _read_plans(meta: dict[str, Any], rows: Columns, more: Columns) -> PlansMade:
    return PlansMade(meta["at_us"], [], PlanColumns(rows, more))


# -- attempts --------------------------------------------------------------------------------------------------


def _write_opened(batch: AttemptsOpened) -> tuple[dict[str, Any], pa.RecordBatch, pa.RecordBatch]:
    columns = dict(zip(OPENED, zip(*batch.rows, strict=True), strict=True))
    return {"at_us": batch.at_us}, _table(OPENED, columns), _NOTHING


def _read_opened(meta: dict[str, Any], rows: Columns, _: Columns) -> AttemptsOpened:
    return AttemptsOpened(meta["at_us"], [Opened(*row) for row in zip(*(rows[name] for name in OPENED), strict=True)])


# -- events ----------------------------------------------------------------------------------------------------

_OF_CLOSING: Final = ("task_id", "tenant", "lease_id", "held_start_us", "held_end_us", "emulated")
assert Closing._fields == (*_OF_CLOSING, "charges"), "the columns are the fields"
_KIND: Final = {one: one.value for one in EventKind}  # faster than to ask each for its value
_CHARGE_KIND: Final = {one: one.value for one in ChargeKind}
_of_event, _of_usage = attrgetter(*EVENT_FIELDS), attrgetter(*_USAGE)


def _write_heard(batch: EventsHeard) -> tuple[dict[str, Any], pa.RecordBatch, pa.RecordBatch]:
    events, closings = zip(*batch.rows, strict=True)
    columns = _turned(EVENT_FIELDS, [*map(_of_event, events)])
    columns["kind"] = [*map(_KIND.__getitem__, columns["kind"])]
    usages = columns.pop("usage")
    columns["outputs"] = [
        to_json([file.model_dump() for file in some]) if some else None for some in columns["outputs"]
    ]
    told = [one for one in usages if one is not None]
    measured = _turned([f"usage.{name}" for name in _USAGE], [*map(_of_usage, told)])
    measured["usage.memory_byte_us"] = [*map(str, measured["usage.memory_byte_us"])]
    columns |= _spread(usages, measured)
    ends = [one for one in closings if one is not None]
    columns |= _spread(closings, _turned(_OF_CLOSING, [one[:-1] for one in ends]))
    columns["charges"] = [0 if one is None else len(one.charges) for one in closings]
    return {"at_us": batch.at_us}, _table(HEARD, columns), _table(CHARGES, _charges(ends))


def _spread(values: Sequence[Any], columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Columns of what some rows have, over all rows: None where there is no value."""
    places = [at for at, one in enumerate(values) if one is not None]
    out: dict[str, list[Any]] = {}
    for name, column in columns.items():
        out[name] = spread = [None] * len(values)
        for at, one in zip(places, column, strict=True):
            spread[at] = one
    return out


def _turned(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Rows as columns; empty columns where there are no rows."""
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())


def _charges(closings: Sequence[Closing]) -> dict[str, Sequence[Any]]:
    bills = [(charge_id, creditor, *line) for one in closings for charge_id, creditor, line in one.charges]
    lines = _turned(tuple(CHARGES), bills)
    lines["kind"] = [*map(_CHARGE_KIND.__getitem__, lines["kind"])]
    units = {per: str(per) for per in set(lines["per"])}
    lines["quantity"], lines["per"] = [*map(str, lines["quantity"])], [*map(units.__getitem__, lines["per"])]
    return lines


def _read_heard(meta: dict[str, Any], rows: Columns, more: Columns) -> EventsHeard:
    charges = iter(
        [
            (ChargeId(charge_id), creditor, LineRow(ChargeKind(kind), item, int(quantity), price, int(per), *rest))
            for charge_id, creditor, kind, item, quantity, price, per, *rest in zip(
                *(more[name] for name in CHARGES), strict=True
            )
        ]
    )
    heard = []
    for row in zip(*(rows[name] for name in HEARD), strict=True):
        named = dict(zip(HEARD, row, strict=True))
        closing = None
        if named["task_id"] is not None:
            bill = tuple(islice(charges, named["charges"]))
            closing = Closing(**{name: named[name] for name in _OF_CLOSING}, charges=bill)
        heard.append(Heard(_event(named), closing))
    return EventsHeard(meta["at_us"], heard)


def _event(row: dict[str, Any]) -> EventRow:
    usage = None
    if row["usage.wall_us"] is not None:
        usage = Usage(**{name: int(row[f"usage.{name}"]) for name in _USAGE})
    return EventRow(
        row["agent"],
        row["sequence"],
        row["site"],
        row["attempt_id"],
        row["fence"],
        row["at_us"],
        EventKind(row["kind"]),
        row["exit_code"],
        usage,
        read_outputs(row["outputs"]),
    )


Written = tuple[dict[str, Any], pa.RecordBatch, pa.RecordBatch]
# The number of a kind is in every log: it is never given to another.
_WRITERS: Final[Mapping[type, tuple[int, Callable[[Any], Written]]]] = {
    TasksTaken: (1, _write_taken),
    PlansMade: (2, _write_plans),
    AttemptsOpened: (3, _write_opened),
    EventsHeard: (4, _write_heard),
}
_READERS: Final[Mapping[int, Callable[[dict[str, Any], Columns, Columns], Batch]]] = {
    1: _read_taken,
    2: _read_plans,
    3: _read_opened,
    4: _read_heard,
}
