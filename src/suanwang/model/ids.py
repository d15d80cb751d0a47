"""Typed ids. An id carries its kind: in the type for the checker, in the prefix for the reader.

Ids of things that people name (sites, pools, links, data sets, tenants) are slugs, checked where the thing is
defined (`Slug`, `PoolSlug`). Ids that the brain makes (tasks, plans, attempts, leases, charges, reservations, joins, workflows) are
`<prefix>-<26 characters>` and sort by the time they were made; `runtime/ids.py` makes them.
"""

from typing import Annotated, NewType

from pydantic import StringConstraints

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$"
MADE_PATTERN = r"^(?:task|plan|att|lease|chg|batch|key|resv|join|flow)-[0-9a-z]{26}$"
TASK_PATTERN = r"^task-[0-9a-z]{26}$"

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]

SiteId = NewType("SiteId", str)
PoolId = NewType("PoolId", str)  # "<site>/<pool>", for example "cn-bj-hub/general"
LinkId = NewType("LinkId", str)
SecurityPoolId = NewType("SecurityPoolId", str)  # "<site>/<pool>"
StoragePoolId = NewType("StoragePoolId", str)  # "<site>/<pool>"
DataSetId = NewType("DataSetId", str)
TenantId = NewType("TenantId", str)
PriceBookId = NewType("PriceBookId", str)

TaskId = NewType("TaskId", str)
PlanId = NewType("PlanId", str)
AttemptId = NewType("AttemptId", str)
LeaseId = NewType("LeaseId", str)
ChargeId = NewType("ChargeId", str)
ReservationId = NewType("ReservationId", str)
AgentId = NewType("AgentId", str)
KeyId = NewType("KeyId", str)
JoinId = NewType("JoinId", str)
WorkflowId = NewType("WorkflowId", str)
