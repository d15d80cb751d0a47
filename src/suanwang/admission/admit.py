"""The clauses of admission, one function each, all applied: a refusal names everything that is wrong."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from suanwang.model.grid import Tenant
from suanwang.model.ids import DataSetId
from suanwang.model.reason import RefusalReason
from suanwang.model.record import Refusal
from suanwang.model.snapshot import GridIndex
from suanwang.model.task import OWN, THIRD_PARTY, Avoid, TaskRequest, edge_of, elements_of, places_of
from suanwang.model.units import show_at, show_span, show_yuan

DATA_SET_SCHEME = "dataset:"


@dataclass(frozen=True)
class Standing:
    """What a tenant, with all below it, has live and has spent, at this moment."""

    live_tasks: int
    cores: int
    accelerators: int
    spent_micro_yuan: int  # billed, and quoted for what is live


@dataclass(frozen=True)
class Applicant:
    """Everything that the clauses look at."""

    request: TaskRequest
    tenant: Tenant
    standing: Standing
    index: GridIndex
    now_us: int
    secret_names: frozenset[str] = frozenset()
    above: tuple[tuple[Tenant, Standing], ...] = ()  # its parent, the parent's parent and so on
    strangers: frozenset[str] = frozenset()  # tasks that it would come after and that are none of its tenant
    late: frozenset[str] = frozenset()  # of those it would come after: what they made is remembered no more

    def way_up(self) -> Iterator[tuple[Tenant, Standing, str]]:
        """Everyone whose limits count, with what a refusal adds to a limit that is not the tenant's own."""
        yield self.tenant, self.standing, ""
        for tenant, standing in self.above:
            yield tenant, standing, f" (`{tenant.id}`)"


@dataclass(frozen=True)
class Admitted:
    request: TaskRequest


@dataclass(frozen=True)
class Refused:
    refusals: tuple[Refusal, ...]


def admit(applicant: Applicant) -> Admitted | Refused:
    """Judge one request. Pure: the same applicant gets the same answer."""
    refusals = tuple(refusal for clause in CLAUSES for refusal in clause(applicant))
    if refusals:
        return Refused(refusals)
    return Admitted(with_defaults(applicant.request, applicant.index))


def plainly_admitted(
    requests: Sequence[TaskRequest], way_up: Sequence[tuple[Tenant, Standing]], index: GridIndex
) -> list[bool]:
    """For each request of one tenant whether `admit` certainly admits it beside the others, in any order. `way_up`: the
    tenant and those above it, as they stand before the first. False says nothing: `admit` has the word.

    What limits them together is judged on all of them at once; what each says of itself, one by one.
    """
    tenant, sites = way_up[0][0], index.sites
    counts = [one.resources.nodes * elements_of(one) * places_of(one) for one in requests]
    cores = sum([one.resources.cpu * count for one, count in zip(requests, counts, strict=True)])
    cards = sum([one.resources.accelerators * count for one, count in zip(requests, counts, strict=True)])
    if not all(_leaves_room(one, standing, len(requests), cores, cards) for one, standing in way_up):
        return [False] * len(requests)
    return [
        one.priority <= tenant.priority_max
        and one.security_level <= tenant.security_level_max
        and (one.origin is None or one.origin in sites)
        and not (
            one.deadline is not None or one.sites or one.owners or one.inputs or one.secrets or one.after or one.avoid
        )
        for one in requests
    ]


def _leaves_room(tenant: Tenant, standing: Standing, tasks: int, cores: int, cards: int) -> bool:
    """Whether the limits of a tenant leave room for so many tasks, and so much, more."""
    budget = tenant.budget_micro_yuan
    return (
        standing.live_tasks + tasks <= tenant.live_tasks_max
        and (not cores or standing.cores + cores <= tenant.cores_max + tenant.cores_borrowed_max)
        and (not cards or standing.accelerators + cards <= tenant.accelerators_max + tenant.accelerators_borrowed_max)
        and (budget is None or standing.spent_micro_yuan < budget)
    )


def with_defaults(request: TaskRequest, index: GridIndex) -> TaskRequest:
    """The request as the planner takes it: with an origin."""
    if request.origin is not None:
        return request
    return request.model_copy(update={"origin": index.grid.default_origin})


def _live_tasks(a: Applicant) -> Iterator[Refusal]:
    for tenant, standing, whose in a.way_up():
        live, limit = standing.live_tasks + 1, tenant.live_tasks_max
        if live > limit:
            yield Refusal(reason=RefusalReason.LIVE_TASKS, field="", got=str(live), limit=f"{limit}{whose}")


def _quota(a: Applicant) -> Iterator[Refusal]:
    """What may be borrowed counts here as if it were lent; whether it is, is seen when the task is planned."""
    need = a.request.resources
    count = need.nodes * elements_of(a.request) * places_of(a.request)
    cores, cards = need.cpu * count, need.accelerators * count
    for tenant, standing, whose in a.way_up():
        limit, held = tenant.cores_max + tenant.cores_borrowed_max, standing.cores
        if cores and held + cores > limit:
            yield _over(RefusalReason.CORES_QUOTA, "resources.cpu", held, cores, f"{limit}{whose}")
        limit, held = tenant.accelerators_max + tenant.accelerators_borrowed_max, standing.accelerators
        if cards and held + cards > limit:
            yield _over(RefusalReason.ACCELERATORS_QUOTA, "resources.accelerators", held, cards, f"{limit}{whose}")


def _over(reason: RefusalReason, name: str, held: int, asked: int, limit: str) -> Refusal:
    return Refusal(reason=reason, field=name, got=f"{held} + {asked}", limit=limit)


def _budget(a: Applicant) -> Iterator[Refusal]:
    for tenant, standing, whose in a.way_up():
        budget, spent = tenant.budget_micro_yuan, standing.spent_micro_yuan
        if budget is not None and spent >= budget:
            limit = show_yuan(budget) + whose
            yield Refusal(reason=RefusalReason.BUDGET, field="", got=show_yuan(spent), limit=limit)


def _priority(a: Applicant) -> Iterator[Refusal]:
    if a.request.priority > a.tenant.priority_max:
        yield Refusal(
            reason=RefusalReason.PRIORITY,
            field="priority",
            got=str(a.request.priority),
            limit=str(a.tenant.priority_max),
        )


def _security(a: Applicant) -> Iterator[Refusal]:
    if a.request.security_level > a.tenant.security_level_max:
        yield Refusal(
            reason=RefusalReason.SECURITY_CLASS,
            field="security_level",
            got=str(a.request.security_level),
            limit=str(a.tenant.security_level_max),
        )


def _deadline(a: Applicant) -> Iterator[Refusal]:
    deadline_us = a.request.deadline
    if deadline_us is None:
        return
    if deadline_us <= a.now_us:
        yield Refusal(
            reason=RefusalReason.DEADLINE_PAST, field="deadline", got=show_at(deadline_us), limit=show_at(a.now_us)
        )
        return
    start_us = max(a.now_us, a.request.earliest_start or 0)
    if start_us + a.request.resources.wall_time > deadline_us:
        room = show_span(max(0, deadline_us - start_us))
        yield Refusal(
            reason=RefusalReason.DEADLINE_TOO_SHORT,
            field="deadline",
            got=show_span(a.request.resources.wall_time),
            limit=room,
        )


def _names(a: Applicant) -> Iterator[Refusal]:
    if a.request.origin is not None and a.request.origin not in a.index.sites:
        yield Refusal(reason=RefusalReason.ORIGIN_UNKNOWN, field="origin", got=a.request.origin)
    for position, site in enumerate(a.request.sites):
        if site not in a.index.sites:
            yield Refusal(reason=RefusalReason.SITE_UNKNOWN, field=f"sites[{position}]", got=site)
    known = {OWN, THIRD_PARTY, *(site.owner for site in a.index.grid.sites)} if a.request.owners else set()
    for position, owner in enumerate(a.request.owners):
        if owner not in known:
            yield Refusal(reason=RefusalReason.OWNER_UNKNOWN, field=f"owners[{position}]", got=owner)
    if a.request.avoid is not None:
        yield from _avoided(a, a.request.avoid)


def _avoided(a: Applicant, avoid: Avoid) -> Iterator[Refusal]:
    """Names that the grid does not have, and an origin that no traffic could leave."""
    sites, links = a.index.grid.sites, a.index.grid.links
    regions = {part for site in sites for part in (site.region, site.region.partition("-")[0])}
    risks = {group for link in links for group in link.shared_risk_groups}
    for kind, names, known in (
        ("links", avoid.links, a.index.links),
        ("sites", avoid.sites, a.index.sites),
        ("risks", avoid.risks, risks),
        ("regions", avoid.regions, regions),
    ):
        for position, name in enumerate(names):
            if name not in known:
                yield Refusal(reason=RefusalReason.AVOID_UNKNOWN, field=f"avoid.{kind}[{position}]", got=name)
    origin = a.index.sites.get(a.request.origin or a.index.grid.default_origin)
    if origin is None:
        return
    within = {origin.region, origin.region.partition("-")[0]} & set(avoid.regions)
    if origin.id in avoid.sites or within:
        kind, got = ("regions", min(within)) if within else ("sites", origin.id)
        yield Refusal(reason=RefusalReason.AVOID_ORIGIN, field=f"avoid.{kind}", got=got, limit=origin.id)


def _data(a: Applicant) -> Iterator[Refusal]:
    for position, one in enumerate(a.request.inputs):
        edge = edge_of(one.source)
        if edge is not None and edge.task in a.strangers | a.late:
            reason = RefusalReason.INPUT_LATE if edge.task in a.late else RefusalReason.AFTER_UNKNOWN
            yield Refusal(reason=reason, field=f"inputs[{position}].source", got=edge.task)
        if not one.source.startswith(DATA_SET_SCHEME):
            continue
        name = DataSetId(one.source.removeprefix(DATA_SET_SCHEME))
        data_set = a.index.data_sets.get(name)
        # Another tenant's data set is answered as one that does not exist: its name tells nothing.
        if data_set is None or data_set.tenant not in (None, a.tenant.id):
            yield Refusal(reason=RefusalReason.DATA_SET_UNKNOWN, field=f"inputs[{position}].source", got=name)


def _secrets(a: Applicant) -> Iterator[Refusal]:
    for position, name in enumerate(a.request.secrets):
        if name not in a.secret_names:
            yield Refusal(reason=RefusalReason.SECRET_MISSING, field=f"secrets[{position}]", got=name)


def _after(a: Applicant) -> Iterator[Refusal]:
    for position, one in enumerate(a.request.after):
        if one.task in a.strangers:
            yield Refusal(reason=RefusalReason.AFTER_UNKNOWN, field=f"after[{position}].task", got=one.task)


CLAUSES: tuple[Callable[[Applicant], Iterator[Refusal]], ...] = (
    _live_tasks,
    _quota,
    _budget,
    _priority,
    _security,
    _deadline,
    _names,
    _data,
    _secrets,
    _after,
)
