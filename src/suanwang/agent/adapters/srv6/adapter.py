"""SR policies in a network, whole or not at all. See README.md."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from suanwang.agent.adapters.srv6.diff import Phases, difference, possible
from suanwang.agent.adapters.srv6.port import Counters, Driver, Installed
from suanwang.model.error import NetworkError
from suanwang.model.sr_program import Key, RouterProgram


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done: steps a router (none where all was in place), and keys that wait for a device to come up."""

    steps: Mapping[str, int]
    waiting: Mapping[str, tuple[Key, ...]]

    @property
    def changed(self) -> int:
        return sum(self.steps.values())


@dataclass
class SrNetwork:
    """The routers of one domain behind a driver. Level-triggered: it reads what is installed and writes the difference,
    and keeps nothing but what was asked last, for `reconcile`."""

    driver: Driver
    _wanted: dict[str, RouterProgram] = field(default_factory=dict)

    def apply(self, programs: Iterable[RouterProgram]) -> Applied:
        """Make each router have its program, and nothing of ours besides. Routers without one are left alone.

        All or none: where one router fails, each is put back to what it had. Raises NetworkError, `network_hop` where
        that is so and `network_torn` where some could not be put back; `reconcile` mends those.
        """
        wanted = {program.router: program for program in programs}
        before = {router: self.driver.read(router) for router in wanted}
        feasible = {router: possible(wanted[router].items, before[router].down) for router in wanted}
        changes = {router: difference(before[router].items, feasible[router]) for router in wanted}
        touched: list[str] = []
        try:
            for phase in range(len(Phases._fields)):
                for router, change in changes.items():
                    if change[phase]:
                        touched.append(router)
                        self.driver.write(router, change[phase])
        except NetworkError as error:
            self._put_back(error, {router: before[router] for router in touched})
        self._wanted |= wanted
        steps = {router: change.steps for router, change in changes.items() if change.steps}
        return Applied(steps, {r: tuple(wanted[r].items.keys() - feasible[r].keys()) for r in wanted if before[r].down})

    def reconcile(self) -> Applied:
        """Correct drift: what was deleted, added or changed by others under our number, or lost with a link."""
        return self.apply(list(self._wanted.values()))

    def remove(self, routers: Sequence[str] | None = None) -> Applied:
        """Take away all that is ours, from these routers or from all that had a program."""
        names = list(self._wanted) if routers is None else list(routers)
        done = self.apply([RouterProgram(router) for router in names])
        for router in names:
            self._wanted.pop(router, None)
        return done

    def counters(self, routers: Iterable[str] | None = None) -> dict[str, Counters]:
        """Of these routers, or of every one that has a program. Raises NetworkError."""
        return {router: self.driver.counters(router) for router in (self._wanted if routers is None else routers)}

    def _put_back(self, error: NetworkError, before: Mapping[str, Installed]) -> None:
        """Undo by level, not by step: what is there now is read, and the difference to what was is written."""
        torn = []
        for router, old in before.items():
            try:
                now = self.driver.read(router)
                back = difference(now.items, possible(old.items, now.down))
                for steps in back:
                    if steps:
                        self.driver.write(router, steps)
            except NetworkError:
                torn.append(router)
        if torn:
            raise NetworkError("network_torn", routers=", ".join(torn), **error.params) from error
        raise error
