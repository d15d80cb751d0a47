"""From a record to its rows. Pure: the same records make the same rows, in `append` as in `rebuild`.

One function a record type; `PROJECTORS` is the whole table. A record about a task also makes one row of
`task_events`, whose body is the record without the parts that have a row of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from suanwang.model.batch import BATCHES, AnyRecord
from suanwang.model.record import (
    AttemptClosed,
    AttemptOpened,
    CancelRequested,
    ChargePosted,
    DeliveryOrdered,
    EventApplied,
    GridAdopted,
    InputsGathered,
    KeyIssued,
    KeyNamed,
    KeyRevoked,
    LeaseExtended,
    LinkChanged,
    PathBroken,
    PathRepaired,
    PathRestored,
    PlanCommitted,
    PlanDropped,
    ResultCompared,
    SecurityPoolChanged,
    SiteAsked,
    SiteChanged,
    SiteChecked,
    SiteJoined,
    SiteOrdered,
    SiteRefused,
    StopRequested,
    TaskAdmitted,
    TaskEnded,
    TaskRefused,
    TaskSubmitted,
    TaskWaits,
    TenantSet,
)
from suanwang.model.reservation import (
    ReservationBroken,
    ReservationEnded,
    ReservationMade,
    ReservationMoved,
    ReservationResized,
)
from suanwang.model.workflow_record import WorkflowSubmitted
from suanwang.store import project_attempts, project_paths, project_tasks
from suanwang.store.fold import Fold, Place, Row, clean, to_json
from suanwang.store.project_batches import fold_batch


def fold_records(records: Sequence[AnyRecord], texts: Sequence[str], position: int, fold: Fold) -> None:
    """Project a row of the log, in order, into `fold`. `texts` holds the JSON text of each single record. What a batch
    of many tasks stands for has an ordinal for each single record."""
    ordinal = 0
    for record, text in zip(records, texts, strict=True):
        if isinstance(record, BATCHES):
            ordinal = fold_batch(record, position, ordinal, fold)
        else:
            PROJECTORS[type(record)](record, Place(position, ordinal, text), fold)
            ordinal += 1


def _grid_adopted(record: GridAdopted, at: Place, fold: Fold) -> None:
    row = (at.position, at.ordinal, record.grid_id, record.digest, record.text, record.at_us)
    fold.lists["grids"].append(row)


def _tenant_set(record: TenantSet, at: Place, fold: Fold) -> None:
    key = record.tenant.id
    body = record.tenant.model_dump_json()
    fold.upsert("tenants", key, {"tenant": key, "body": body, "at_us": record.at_us, "position": at.position})


def _key_issued(record: KeyIssued, at: Place, fold: Fold) -> None:
    row: Row = {
        "key_id": record.key_id,
        "secret_blake3": record.secret_blake3,
        "tenant": record.tenant,
        "role": record.role,
        "note": clean(record.note),
        "sites": to_json(record.sites),
        "issued_us": record.at_us,
        "revoked_us": None,
        "position": at.position,
    }
    fold.add("api_keys", record.key_id, row)


def _key_revoked(record: KeyRevoked, at: Place, fold: Fold) -> None:
    fold.change("api_keys", record.key_id, {"revoked_us": record.at_us, "position": at.position})


def _site_changed(record: SiteChanged, at: Place, fold: Fold) -> None:
    row: Row = {
        "site": record.site,
        "agent": record.agent,
        "live": record.live,
        "emulated": record.emulated,
        "cause": record.cause,
        "at_us": record.at_us,
        "position": at.position,
    }
    fold.upsert("sites", record.site, row)


def _link_changed(record: LinkChanged, at: Place, fold: Fold) -> None:
    row: Row = {
        "link": record.link,
        "up": record.up,
        "principal": clean(record.principal),
        "at_us": record.at_us,
        "position": at.position,
    }
    fold.upsert("links", record.link, row)


def _security_pool_changed(record: SecurityPoolChanged, at: Place, fold: Fold) -> None:
    row: Row = {
        "security_pool": record.security_pool,
        "up": record.up,
        "cause": record.cause,
        "principal": clean(record.principal),
        "agent": None if record.agent is None else clean(record.agent),
        "at_us": record.at_us,
        "position": at.position,
    }
    fold.upsert("security_pools", record.security_pool, row)


def _no_rows(record: object, at: Place, fold: Fold) -> None:
    """What stands of it is in the brain's memory and what was is in the log; no table is asked for it."""


PROJECTORS: Final[Mapping[type, Callable[[Any, Place, Fold], None]]] = {
    GridAdopted: _grid_adopted,
    TenantSet: _tenant_set,
    KeyIssued: _key_issued,
    KeyNamed: _no_rows,
    KeyRevoked: _key_revoked,
    SiteChanged: _site_changed,
    LinkChanged: _link_changed,
    SecurityPoolChanged: _security_pool_changed,
    SiteAsked: _no_rows,
    SiteJoined: _no_rows,
    SiteRefused: _no_rows,
    SiteChecked: _no_rows,
    SiteOrdered: _no_rows,
    ResultCompared: _no_rows,
    WorkflowSubmitted: _no_rows,
    ReservationMade: _no_rows,
    ReservationMoved: _no_rows,
    ReservationResized: _no_rows,
    ReservationBroken: _no_rows,
    ReservationEnded: _no_rows,
    TaskSubmitted: project_tasks.task_submitted,
    TaskAdmitted: project_tasks.task_admitted,
    TaskRefused: project_tasks.task_refused,
    TaskWaits: project_tasks.task_waits,
    InputsGathered: project_tasks.inputs_gathered,
    PlanCommitted: project_tasks.plan_committed,
    PlanDropped: project_tasks.plan_dropped,
    LeaseExtended: project_tasks.lease_extended,
    PathRepaired: project_paths.path_repaired,
    PathBroken: project_paths.path_told,
    PathRestored: project_paths.path_told,
    TaskEnded: project_tasks.task_ended,
    CancelRequested: project_tasks.cancel_requested,
    AttemptOpened: project_attempts.attempt_opened,
    EventApplied: project_attempts.event_applied,
    StopRequested: project_attempts.stop_requested,
    DeliveryOrdered: project_attempts.delivery_ordered,
    AttemptClosed: project_attempts.attempt_closed,
    ChargePosted: project_attempts.charge_posted,
}
