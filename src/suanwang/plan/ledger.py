"""What a snapshot holds, as calendars; follows the snapshot's history instead of reading every lease again.

The ledger is derived: the same snapshot gives the same calendars whether it got there step by step or at once. The
holds of plans made in this batch are put on top (`push`) and taken off before the next snapshot is followed.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from suanwang.model.compact import CompactHolds, Holds
from suanwang.model.ids import LeaseId, PoolId, SecurityPoolId
from suanwang.model.plan import Hold
from suanwang.model.snapshot import LeaseChange, Snapshot
from suanwang.net.calendar import FOREVER_US as FOREVER_US  # what a hold without an end ends at; advice uses it too
from suanwang.net.calendar import Calendar, fits
from suanwang.net.network import Ints
from suanwang.plan.layout import Layout, amounts


class Ledger:
    """Calendars of the pools, and of the directed links and then the security pools."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.links = len(layout.network.to)
        self.pools = Calendar(len(layout.pools), 4)
        self.lines = Calendar(self.links + len(layout.sec_at), 1)
        # A link in maintenance is held beyond all that it has: so it has no room for a flow without bandwidth either.
        for edge, start_us, end_us in layout.closed.tolist():
            self.lines.add(edge, start_us, end_us, (int(layout.empty_room[edge]) + 1,))
        self.known: dict[LeaseId, Holds] = {}
        self.history: Sequence[LeaseChange] | None = None
        self.position = 0
        self.scratch: list[Holds] = []

    @property
    def is_empty(self) -> bool:
        """Whether nobody holds anything; planned maintenance is nobody's."""
        return self.pools.is_empty and int(self.lines.count.sum()) == len(self.layout.closed)

    def follow(self, snapshot: Snapshot) -> None:
        """Stand where the snapshot stands, with nothing on top."""
        self.pop_all()
        if snapshot.history is not None and snapshot.history is self.history:
            self._step(snapshot.history, snapshot.history_end)
            return
        self._differ(snapshot.leases)
        self.history, self.position = snapshot.history, snapshot.history_end

    def push(self, holds: Holds) -> None:
        """Put the holds of a plan of this batch on top."""
        self.scratch.append(holds)
        self.change(holds, add=True)

    def pushed(self, holds: Sequence[CompactHolds]) -> None:
        """A kernel has put these on top itself."""
        self.scratch += holds

    def pop(self) -> None:
        """Take off what was put on top last."""
        self.change(self.scratch.pop(), add=False)

    def pop_all(self) -> None:
        """Take off what was put on top."""
        compact = [one for one in self.scratch if isinstance(one, CompactHolds)]
        for one in self.scratch:
            if not isinstance(one, CompactHolds):
                self.change(one, add=False)
        self.scratch = []
        self._apply_many(compact, -1)

    def _step(self, history: Sequence[LeaseChange], end: int) -> None:
        """Go along the history, forth or back. What came and went in between needs no work where it is compact."""
        back = end < self.position
        changes = history[end : self.position][::-1] if back else history[self.position : end]
        come: dict[LeaseId, CompactHolds] = {}
        gone: dict[LeaseId, CompactHolds] = {}
        for change in changes:
            lease_id, holds, add = change.lease_id, change.holds, change.added is not back
            if add:
                self.known[lease_id] = holds
            else:
                del self.known[lease_id]
            if type(holds) is not CompactHolds:
                self.change(holds, add)
                continue
            here, there = (come, gone) if add else (gone, come)
            if there.get(lease_id) is holds:
                del there[lease_id]
            else:
                here[lease_id] = holds
        self._apply_many(list(come.values()), 1)
        self._apply_many(list(gone.values()), -1)
        self.position = end

    def _differ(self, leases: Mapping[LeaseId, Holds]) -> None:
        known = self.known
        gone = [known.pop(one) for one in [one for one, holds in known.items() if leases.get(one) is not holds]]
        come = {lease_id: holds for lease_id, holds in leases.items() if lease_id not in known}
        known |= come
        for some, sign in ((gone, -1), (list(come.values()), 1)):
            for holds in some:
                if not isinstance(holds, CompactHolds):
                    self.change(holds, add=sign > 0)
            self._apply_many([holds for holds in some if isinstance(holds, CompactHolds)], sign)

    def has_room(self, holds: Holds) -> bool:
        """Whether all of these can be held beside what is held. They are of one plan: what crosses a resource more
        than once does so over the same span."""
        sums: dict[tuple[bool, int, int, int], Ints] = {}
        for hold in holds:
            where = self.where(hold)
            if where is not None:
                key = (where[0] is self.pools, where[1], hold.start_us, hold.end_us)
                sums[key] = sums.get(key, 0) + np.array(where[2], np.int64)
        for (of_pools, at, start_us, end_us), wanted in sums.items():
            calendar = self.pools if of_pools else self.lines
            all_of_it = self.layout.capacity[at] if of_pools else self.layout.empty_room[at : at + 1]
            if not fits(calendar.steps(), at, start_us, end_us, all_of_it - wanted):
                return False
        return True

    def change(self, holds: Holds, add: bool) -> None:
        """Hold these, or take them back."""
        for hold in holds:
            where = self.where(hold)
            if where is not None:
                calendar, at, figures = where
                (calendar.add if add else calendar.remove)(at, hold.start_us, hold.end_us, figures)

    def _apply_many(self, some: Sequence[CompactHolds], sign: int) -> None:
        """Hold (1) or take back (-1) what compact plans hold: all of it from the start of each to its end."""
        if not some:
            return
        plans = [one.plan for one in some]
        windows = np.array([(plan.pool_number, plan.start_us, plan.end_us) for plan in plans], np.int64)
        figures = np.array([amounts(plan.demand) for plan in plans], np.int64)
        self.pools.change_many(*_columns(windows), figures, sign)
        rows = [
            (line, plan.start_us, plan.end_us, plan.bandwidth_bps)
            for plan in plans
            if plan.bandwidth_bps
            for line in (*plan.route.edges, *(self.links + number for number in plan.route.pools))
        ]
        if rows:
            held = np.array(rows, np.int64)
            self.lines.change_many(*_columns(held[:, :3]), np.ascontiguousarray(held[:, 3:]), sign)

    def where(self, hold: Hold) -> tuple[Calendar, int, tuple[int, ...]] | None:
        """The calendar, the resource's place in it and the figures of a hold; None if the grid no longer has it."""
        if hold.resource == "pool":
            at = self.layout.pool_at.get(PoolId(hold.key))
            figures = amounts(hold.demand) if hold.demand else (0, 0, 0, 0)
            return None if at is None else (self.pools, at, figures)
        if hold.resource == "link":
            at = self.layout.edge_at.get(hold.key)
            return None if at is None else (self.lines, at, (hold.bps,))
        at = self.layout.sec_at.get(SecurityPoolId(hold.key))
        return None if at is None else (self.lines, at + self.links, (hold.bps,))


def _columns(rows: Ints) -> tuple[Ints, Ints, Ints]:
    """The three columns of a table, each on its own."""
    one, two, three = np.ascontiguousarray(rows.T)
    return one, two, three
