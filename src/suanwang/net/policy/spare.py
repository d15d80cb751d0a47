"""A way for when a path's link fails: it shares no link and no risk group with the path. Pure.

Nothing is held on it, so it is no second promise: it carries the task's packets from the moment of a failure until the
plan's path has been repaired. Of the ways within the task's latency bound the cheapest one is taken; where none is,
the cheapest of all, since a late packet is better than none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from suanwang.model.grid import Grid
from suanwang.model.ids import LinkId
from suanwang.model.wanted import TaskFlow
from suanwang.net.network import Flags, Network, build_network
from suanwang.net.search import NO_BOUND_US, Rules, search
from suanwang.net.tree import Walk

# More than there are live flows with a path; a finder lives as long as no link changes.
KNOWN_MAX: Final = 65_536


@dataclass(frozen=True, eq=False)
class Spares:
    """The arrays of one grid. `standby` answers for one state of its links."""

    network: Network
    links: tuple[str, ...]  # directed, in the order of the network's edges
    risks: tuple[frozenset[str], ...]  # of each link of the grid

    @staticmethod
    def of(grid: Grid) -> "Spares":
        links = tuple(f"{link.id}:{way}" for link in grid.links for way in ("ab", "ba"))
        return Spares(build_network(grid), links, tuple(frozenset(link.shared_risk_groups) for link in grid.links))

    def finder(self, grid: Grid, down: frozenset[LinkId]) -> Callable[[TaskFlow], tuple[str, ...]]:
        """Flow -> the links of its standby, empty where there is none. Flows past security pools have none: what a
        chain lets through on another way has not passed it. It remembers what it has found; threads may share it."""
        up = np.repeat(np.array([link.id not in down for link in grid.links], np.bool_), 2)
        number = {name: at for at, name in enumerate(self.links)}
        known: dict[tuple[tuple[str, ...], int, int | None], tuple[str, ...]] = {}

        def standby(flow: TaskFlow) -> tuple[str, ...]:
            if flow.pools:
                return ()
            key = (flow.links, flow.bandwidth_bps, flow.promise_us)
            links = known.get(key)
            if links is None:
                found = self._search(flow, [number[one] for one in flow.links], up)
                links = () if found is None else tuple(self.links[edge] for edge in found.edges)
                if len(known) >= KNOWN_MAX:
                    known.clear()
                known[key] = links
            return links

        return standby

    def _search(self, flow: TaskFlow, path: Sequence[int], up: Flags) -> Walk | None:
        usable = self._apart(path) & up & (self.network.capacity_bps >= flow.bandwidth_bps)
        origin, site = self.network.node_of[flow.origin], self.network.node_of[flow.site]
        none = np.zeros(len(self.network.sec_node), np.bool_)
        for bound_us in (flow.promise_us, None):
            rules = Rules(
                edge_ok=usable,
                edge_cost=self.network.price_gbps_hour,
                sec_ok=none,
                sec_cost=self.network.sec_price,
                bound_us=NO_BOUND_US if bound_us is None else bound_us,
            )
            tree = search(self.network, origin, rules)
            if tree.best[site] >= 0:
                return tree.walk(site)
        return None

    def _apart(self, path: Sequence[int]) -> Flags:
        """Edges that share neither a cable nor a risk group with the path."""
        cables = {edge // 2 for edge in path}
        shared = frozenset[str]().union(*(self.risks[at] for at in cables))
        ok = [at not in cables and not (risks & shared) for at, risks in enumerate(self.risks)]
        return np.repeat(np.array(ok, np.bool_), 2)
