"""Who makes room for a task that goes on at its standby place, past the window that was held for it there. Pure."""

from collections.abc import Iterator

from suanwang.model.compact import AnyPlan
from suanwang.model.plan import StandbyPlace
from suanwang.observe.state import State, Task


def crowds(lost: AnyPlan, state: State) -> Iterator[tuple[Task, ...]]:
    """Nobody first; then ever more of those that were promised the place for later and have not begun, the last to come
    first. Inside the window that was held they stand beside it already."""
    assert lost.standby is not None, "asked only of a plan with a standby place"
    keys = _keys(lost.standby)
    later = [
        task
        for task in state.planned.values()
        if task.plan is not None
        and any(f"{one.resource}|{one.key}" in keys and one.end_us > lost.end_us for one in task.plan.holds)
    ]
    later.sort(key=lambda one: -one.order)
    yield ()
    many = 1
    while later and many < 2 * len(later):
        yield tuple(later[:many])
        many *= 2


def _keys(place: StandbyPlace) -> set[str]:
    """What the place and the way to it may hold."""
    links = {f"link|{one.link}:{side}" for one in place.path.links for side in ("ab", "ba")}
    return {f"pool|{place.pool}", *links, *(f"protection|{one.security_pool}" for one in place.protection)}
