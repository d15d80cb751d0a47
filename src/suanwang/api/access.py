"""Who may call what: one row a route. `tests/api/test_access.py` walks every row with every role.

A route that is not in the table does not exist: `check_routes` stops the start-up for one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from suanwang.model.principal import Role

READERS = frozenset({Role.VIEWER, Role.USER, Role.OPERATOR})
WRITERS = frozenset({Role.USER, Role.OPERATOR})
OPERATORS = frozenset({Role.OPERATOR})
AGENTS = frozenset({Role.AGENT})
JOINERS = frozenset({Role.JOINER})
ANYONE = frozenset(Role)


class Scope(StrEnum):
    """What of the brain's data a caller with the right role reaches."""

    OPEN = "open"  # no key needed
    LOOPBACK = "loopback"  # no key needed from this machine; else the roles of the row
    GRID = "grid"  # the same for every tenant
    OWN = "own"  # the caller's tenant; another tenant's things are not found. An operator: every tenant's
    SITES = "sites"  # an agent, for the sites of its key


@dataclass(frozen=True)
class Access:
    method: str
    path: str
    roles: frozenset[Role]
    scope: Scope


ACCESS: tuple[Access, ...] = (
    Access("GET", "/healthz", ANYONE, Scope.OPEN),
    Access("GET", "/metrics", OPERATORS, Scope.LOOPBACK),
    Access("GET", "/v1/openapi.json", ANYONE, Scope.OPEN),
    Access("GET", "/v1/schema/task", ANYONE, Scope.OPEN),
    Access("GET", "/v1/texts/{lang}", ANYONE, Scope.OPEN),
    Access("GET", "/v1/whoami", ANYONE, Scope.OWN),
    Access("POST", "/v1/tasks", WRITERS, Scope.OWN),
    Access("POST", "/v1/tasks:bulk", WRITERS, Scope.OWN),
    Access("GET", "/v1/tasks", READERS, Scope.OWN),
    Access("GET", "/v1/tasks/{task_id}", READERS, Scope.OWN),
    Access("GET", "/v1/tasks/{task_id}/explain", READERS, Scope.OWN),
    Access("GET", "/v1/tasks/{task_id}/events", READERS, Scope.OWN),
    Access("GET", "/v1/tasks/{task_id}/logs", READERS, Scope.OWN),
    Access("GET", "/v1/tasks/{task_id}/outputs/{path:path}", READERS, Scope.OWN),
    Access("GET", "/v1/tasks/{task_id}/bill", READERS, Scope.OWN),
    Access("POST", "/v1/tasks/{task_id}/cancel", WRITERS, Scope.OWN),
    Access("GET", "/v1/tasks/{task_id}/service", READERS, Scope.OWN),
    Access("GET", "/v1/services", READERS, Scope.GRID),
    Access("GET", "/v1/services/{service_id}", READERS, Scope.GRID),
    Access("POST", "/v1/services/{service_id}:plan", READERS, Scope.OWN),
    Access("POST", "/v1/services/{service_id}:run", WRITERS, Scope.OWN),
    Access("POST", "/v1/workflows", WRITERS, Scope.OWN),
    Access("POST", "/v1/workflows:plan", READERS, Scope.OWN),
    Access("GET", "/v1/workflows", READERS, Scope.OWN),
    Access("GET", "/v1/workflows/{workflow_id}", READERS, Scope.OWN),
    Access("POST", "/v1/workflows/{workflow_id}/cancel", WRITERS, Scope.OWN),
    Access("GET", "/v1/doors", READERS, Scope.GRID),
    Access("POST", "/v1/doors", READERS, Scope.OWN),
    Access("POST", "/v1/plan", READERS, Scope.OWN),
    Access("GET", "/v1/bill", READERS, Scope.OWN),
    Access("GET", "/v1/grid", READERS | AGENTS, Scope.OWN),
    Access("GET", "/v1/grid/schema", READERS, Scope.GRID),
    Access("GET", "/v1/panorama", READERS, Scope.OWN),
    Access("GET", "/v1/panorama/stream", READERS, Scope.OWN),
    Access("GET", "/v1/scarcity", READERS, Scope.GRID),
    Access("GET", "/v1/cats/metrics", READERS, Scope.GRID),
    Access("GET", "/v1/network/policies", OPERATORS, Scope.GRID),
    Access("POST", "/v1/network/agents/{agent_id}/exchange", OPERATORS | AGENTS, Scope.SITES),
    Access("GET", "/v1/network", READERS, Scope.GRID),
    Access("GET", "/v1/network/links/{link_id}", READERS, Scope.OWN),
    Access("POST", "/v1/network/paths", READERS, Scope.GRID),
    Access("GET", "/v1/network/reservations", OPERATORS, Scope.GRID),
    Access("POST", "/v1/network/reservations", OPERATORS, Scope.GRID),
    Access("PATCH", "/v1/network/reservations/{reservation_id}", OPERATORS, Scope.GRID),
    Access("DELETE", "/v1/network/reservations/{reservation_id}", OPERATORS, Scope.GRID),
    Access("GET", "/v1/network/what-if", OPERATORS, Scope.GRID),
    Access("GET", "/v1/network/verify", OPERATORS, Scope.GRID),
    Access("GET", "/v1/network/optimise", OPERATORS, Scope.GRID),
    Access("POST", "/v1/what-if", OPERATORS, Scope.GRID),
    Access("GET", "/v1/what-if", OPERATORS, Scope.GRID),
    Access("GET", "/v1/what-if/{run_id}", OPERATORS, Scope.GRID),
    Access("DELETE", "/v1/what-if/{run_id}", OPERATORS, Scope.GRID),
    Access("POST", "/v1/sites/{site_id}:check", OPERATORS, Scope.GRID),
    Access("POST", "/v1/sites/{site_id}:fail", OPERATORS, Scope.GRID),
    Access("POST", "/v1/sites/{site_id}:heal", OPERATORS, Scope.GRID),
    Access("POST", "/v1/sites/{site_id}:cordon", OPERATORS, Scope.GRID),
    Access("POST", "/v1/sites/{site_id}:drain", OPERATORS, Scope.GRID),
    Access("POST", "/v1/sites/{site_id}:open", OPERATORS, Scope.GRID),
    Access("POST", "/v1/sites/{site_id}:leave", OPERATORS, Scope.GRID),
    Access("POST", "/v1/links/{link_id}:fail", OPERATORS, Scope.GRID),
    Access("POST", "/v1/links/{link_id}:heal", OPERATORS, Scope.GRID),
    Access("POST", "/v1/security-pools/{site_id}/{pool}:fail", OPERATORS, Scope.GRID),
    Access("POST", "/v1/security-pools/{site_id}/{pool}:heal", OPERATORS, Scope.GRID),
    Access("GET", "/ga4gh/tes/v1/service-info", ANYONE, Scope.OPEN),
    Access("POST", "/ga4gh/tes/v1/tasks", WRITERS, Scope.OWN),
    Access("GET", "/ga4gh/tes/v1/tasks", READERS, Scope.OWN),
    Access("GET", "/ga4gh/tes/v1/tasks/{task_id}", READERS, Scope.OWN),
    Access("POST", "/ga4gh/tes/v1/tasks/{task_id}:cancel", WRITERS, Scope.OWN),
    Access("PUT", "/v1/objects/{blake3}", WRITERS | AGENTS, Scope.OWN),
    Access("GET", "/v1/objects/{blake3}", WRITERS | AGENTS, Scope.OWN),
    Access("HEAD", "/v1/objects/{blake3}", WRITERS | AGENTS, Scope.OWN),
    Access("POST", "/v1/joins", JOINERS, Scope.OWN),
    Access("POST", "/v1/joins/probe", JOINERS | AGENTS, Scope.GRID),
    Access("GET", "/v1/joins", OPERATORS, Scope.GRID),
    Access("GET", "/v1/joins/{join_id}", JOINERS | OPERATORS, Scope.OWN),
    Access("POST", "/v1/joins/{join_id}:approve", OPERATORS, Scope.GRID),
    Access("POST", "/v1/joins/{join_id}:refuse", OPERATORS, Scope.GRID),
    Access("POST", "/v1/agents/{agent_id}/bus", OPERATORS | AGENTS, Scope.SITES),
    Access("POST", "/v1/agents/{agent_id}/exchange", AGENTS, Scope.SITES),
    Access("POST", "/v1/agents/{agent_id}/logs/{attempt_id}", AGENTS, Scope.SITES),
    Access("GET", "/v1/tenants", OPERATORS, Scope.GRID),
    Access("PUT", "/v1/tenants/{tenant_id}", OPERATORS, Scope.GRID),
    Access("GET", "/v1/shares", READERS, Scope.OWN),
    Access("GET", "/v1/keys", OPERATORS, Scope.GRID),
    Access("POST", "/v1/keys", OPERATORS, Scope.GRID),
    Access("DELETE", "/v1/keys/{key_id}", OPERATORS, Scope.GRID),
)
BY_ROUTE = {(row.method, row.path): row for row in ACCESS}
assert len(BY_ROUTE) == len(ACCESS), "one row a route"


def check_routes(routes: Iterable[tuple[str, str]]) -> None:
    """Assert that the application's routes and the table are the same set."""
    served = set(routes)
    assert served == set(BY_ROUTE), f"routes without a row, or rows without a route: {served ^ set(BY_ROUTE)}"
