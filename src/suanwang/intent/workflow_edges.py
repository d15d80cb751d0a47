"""What ties the tasks of a workflow together: circles, an order that has none, outputs that nobody makes. Pure."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from suanwang.intent.document import Loc
from suanwang.intent.mapping import Found
from suanwang.model.globs import may_meet
from suanwang.model.task import CircuitEntry, TaskRequest


class Tie(NamedTuple):
    """One task comes after another, by `after` or by what it takes of the other's outputs."""

    task: str
    other: str
    loc: Loc
    path: str | None = None  # of the output


def _leaders(ties: Sequence[Tie]) -> dict[str, dict[str, Loc]]:
    out: dict[str, dict[str, Loc]] = {}
    for one in ties:
        out.setdefault(one.task, {}).setdefault(one.other, one.loc)
    return out


def circles(ties: Sequence[Tie]) -> Iterator[Found]:
    """One fault for each group of tasks that wait for each other, with a way around in its words."""
    leaders = _leaders(ties)
    left = _without_ends(leaders)
    while left:
        at, way = next(iter(left)), list[str]()
        while at not in way:  # each that is left comes after another that is left
            way.append(at)
            at = next(other for other in leaders[at] if other in left)
        ring = way[way.index(at) :]
        first = min(range(len(ring)), key=lambda place: list(leaders).index(ring[place]))
        ring = ring[first:] + ring[:first]
        shown = " → ".join([*ring, ring[0]])
        yield Found("workflow_circle", leaders[ring[0]][_next(ring, 0)], ring[0], {"circle": shown})
        gone = set(ring)
        leaders = {one: {to: loc for to, loc in others.items() if to not in gone} for one, others in leaders.items()}
        left = _without_ends({one: others for one, others in leaders.items() if one not in gone})


def _next(ring: Sequence[str], at: int) -> str:
    return ring[(at + 1) % len(ring)]


def _without_ends(leaders: Mapping[str, Mapping[str, Loc]]) -> dict[str, None]:
    """The tasks that are left when again and again those that wait for nobody who is left are taken away."""
    open_ = {one: sum(1 for _ in others) for one, others in leaders.items()}
    followers: dict[str, list[str]] = {}
    for one, others in leaders.items():
        for to in others:
            followers.setdefault(to, []).append(one)
    free = [one for one in {*open_, *followers} if not open_.get(one)]
    gone = set(free)
    for one in free:  # grows on the way
        for after in followers.get(one, ()):
            open_[after] -= 1
            if not open_[after] and after not in gone:
                gone.add(after)
                free.append(after)
    return {one: None for one in leaders if one not in gone}


def in_order(names: Sequence[str], ties: Sequence[Tie]) -> list[str]:
    """The tasks, each behind all that it comes after, else as they stand in the file. There is no circle."""
    place, leaders = {name: at for at, name in enumerate(names)}, _leaders(ties)
    open_ = {name: len(leaders.get(name, ())) for name in names}
    followers: dict[str, list[str]] = {}
    for one, others in leaders.items():
        for to in others:
            followers.setdefault(to, []).append(one)
    ready = [place[name] for name in names if not open_[name]]
    heapq.heapify(ready)
    out: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        out.append(name)
        for one in followers.get(name, ()):
            open_[one] -= 1
            if not open_[one]:
                heapq.heappush(ready, place[one])
    assert len(out) == len(names), "without a circle each has its turn"
    return out


def undeclared(ties: Sequence[Tie], requests: Mapping[str, TaskRequest]) -> Iterator[Found]:
    """What is taken of a task that does not say it leaves such a thing."""
    for one in ties:
        maker = requests.get(one.other)
        if one.path is None or maker is None:
            continue
        left = [each.path for each in maker.outputs]
        left += [maker.run.result] if isinstance(maker.run, CircuitEntry) else []
        path = one.path
        if maker.array > 1:  # what an element leaves stands below its number
            number, _, path = path.partition("/")
            if not path and left:
                path = "**"
            if number.isdigit() and int(number) >= maker.array:
                left = []
        if not any(may_meet(each, path) for each in left):
            shown = ", ".join(f"`{each}`" for each in left) or "-"
            yield Found("workflow_output", one.loc, one.path, {"task": one.other, "outputs": shown})
