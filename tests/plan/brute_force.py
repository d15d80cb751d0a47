"""Every candidate of `docs/guide/planning.md`, tried one by one. Shares no code with the planner.

Slow by intention: it lists all loop-free walks, all replicas and rates, all starts and all pools, and checks each
combination against every hold. Only for grids of a few sites.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from suanwang.model.ability import abilities_of
from suanwang.model.grid import PoolKind
from suanwang.model.plan import ChargeKind, Demand, Hold
from suanwang.model.snapshot import Snapshot
from suanwang.model.tariff import (
    bandwidth_line,
    carbon_mg,
    compute_lines,
    factor_permille,
    is_priced,
    total_micro_yuan,
    transfer_line,
)
from suanwang.model.task import Preference, TaskRequest, latency_us_max, pool_kind

RATES = (*(step * 10**power for power in range(3, 8) for step in (1, 3)), 10**8, 10**9, 10**10, 10**11)
HOUR = 3_600_000_000
YEAR = 366 * 24 * HOUR


@dataclass(frozen=True)
class Candidate:
    key: tuple
    pool: str
    price: int
    end_us: int
    latency_us: int


class Brute:
    def __init__(self, snapshot: Snapshot, request: TaskRequest, now_us: int, excluded=frozenset(), others=()) -> None:
        self.snapshot, self.request, self.index = snapshot, request, snapshot.index
        self.grid, self.excluded, self.others = snapshot.index.grid, excluded, others
        self.earliest = max(now_us, request.earliest_start or 0)
        self.kind = pool_kind(request.resources)
        self.wall = request.resources.wall_time
        self.origin = request.origin or self.grid.default_origin
        self.bandwidth = max(request.bandwidth, 10**7) if request.protection else request.bandwidth
        self.holds = [hold for holds in snapshot.leases.values() for hold in holds] + closed(snapshot)
        self.moves = self._moves()
        narrowest = min([10**9, *(link.capacity_bps for link in self.index.grid.links)])
        fit = [one for one in RATES if 10 * one <= narrowest]
        self.rates = [one for one in RATES if one >= (max(fit) if fit else RATES[0])]
        self.demand = self._demand()
        self._walks: dict = {}

    # -- what is asked -----------------------------------------------------------------------------------------

    def _demand(self) -> Demand:
        res, count = self.request.resources, self.request.resources.nodes * self.request.array
        if self.kind in (PoolKind.HPC, PoolKind.QUANTUM):
            return Demand(nodes=count)
        return Demand(cores=res.cpu * count, memory_bytes=res.memory * count, accelerators=res.accelerators * count)

    def _moves(self) -> list[tuple[str, int, tuple, tuple]]:
        out, other = {}, 0
        for one in self.request.inputs:
            if one.source.startswith("dataset:"):
                data = self.index.data_sets[one.source.split(":", 1)[1]]
                out[data.id] = (data.id, data.size_bytes, data.replicas, data.residency)
            else:
                other += one.size or 0
        return [*out.values(), *([("origin-inputs", other, (self.origin,), ())] if other else [])]

    # -- the place ---------------------------------------------------------------------------------------------

    def allowed(self, pool, site) -> bool:
        request, res = self.request, self.request.resources
        node = (res.cpu, res.memory, res.accelerators, res.qubits)
        if self.kind is PoolKind.QUANTUM:
            node = (0, 0, 0, res.qubits)
        has = (pool.cores_per_node, pool.memory_bytes_per_node, pool.accelerators_per_node, pool.qubits_per_node)
        state = self.snapshot.sites.get(site.id)
        return (
            pool.kind is self.kind
            and not set(pool.lacks) & set(abilities_of(request))
            and (not request.sites or site.id in request.sites)
            and liked(request.owners, site.owner) is not None
            and site.id not in self.excluded
            and self.good_company(site.id)
            and state is not None
            and state.live
            and site.security_level >= request.security_level
            and within(site.region, request.residency)
            and all(within(site.region, move[3]) for move in self.moves)
            and all(one <= two for one, two in zip(node, has, strict=True))
            and res.accelerator in (None, "any", pool.accelerator_model)
            and all(one <= two for one, two in zip(figures(self.demand), capacity(pool), strict=True))
            and is_priced(self.index.price_books[site.price_book], pool)
        )

    def good_company(self, site: str) -> bool:
        """By the tenant's other live tasks, as (site, request)."""
        mine = self.request
        for there, other in self.others:
            avoided = mine.apart_from and mine.apart_from.items() <= other.tags.items()
            avoids = other.apart_from and other.apart_from.items() <= mine.tags.items()
            if there == site and (avoided or avoids):
                return False
        if not mine.together_with:
            return True
        friends = [there for there, other in self.others if mine.together_with.items() <= other.tags.items()]
        return site in friends or (not friends and mine.together_with.items() <= mine.tags.items())

    # -- walks -------------------------------------------------------------------------------------------------

    def walks(self, start: str) -> list[tuple[tuple, tuple]]:
        """All loop-free walks from a site: (sites, directed links)."""
        if start not in self._walks:
            self._walks[start] = list(self._extend((start,), ()))
        return self._walks[start]

    def _extend(self, sites: tuple, links: tuple) -> Iterator[tuple[tuple, tuple]]:
        yield sites, links
        for link in self.grid.links:
            if link.id in self.snapshot.links_down:
                continue
            for here, there, side in ((link.a, link.b, "ab"), (link.b, link.a, "ba")):
                if here == sites[-1] and there not in sites:
                    yield from self._extend((*sites, there), (*links, (link, side)))

    def chains(self, target: str | None) -> Iterator[tuple[tuple, tuple]]:
        """All (links, security pools) from the origin to a site through the functions in order."""

        def go(site: str, left: tuple, links: tuple, pools: tuple) -> Iterator[tuple[tuple, tuple]]:
            for sites, more in self.walks(site):
                if not left:
                    if target is None or sites[-1] == target:
                        yield (*links, *more), pools
                    continue
                for pool in self.index.sites[sites[-1]].security_pools:
                    if pool.function is left[0] and pool.id not in self.snapshot.security_down:
                        yield from go(sites[-1], left[1:], (*links, *more), (*pools, pool))

        yield from go(self.origin, self.request.protection, (), ())

    def path(self, target: str, begin: int, end: int):
        """(price rate, latency, links, pools) of the path of this run, or None."""
        bound = latency_us_max(self.request)
        found = None
        for links, pools in self.chain_list(target):
            latency = sum(link.latency_us for link, _ in links)
            if bound is not None and latency > bound:
                continue
            rate = sum(link.price_micro_yuan_per_gbps_hour for link, _ in links) if self.bandwidth else 0
            rate += sum(pool.price_micro_yuan_per_gbps_hour for pool in pools)
            key = (rate, latency, len(links))
            if found is not None and key >= found[0]:
                continue
            if any(one.start < end and begin < one.end for link, _ in links for one in link.maintenance):
                continue
            if self.bandwidth and not self.carries(links, pools, begin, end):
                continue
            found = (key, links, pools)
        return found

    def chain_list(self, target: str) -> list:
        key = ("chains", target)
        if key not in self._walks:
            self._walks[key] = list(self.chains(target))
        return self._walks[key]

    def carries(self, links: tuple, pools: tuple, begin: int, end: int) -> bool:
        wants: dict = {}
        for link, side in links:
            wants.setdefault(("link", f"{link.id}:{side}", link.capacity_bps), []).append(1)
        for pool in pools:
            wants.setdefault(("protection", pool.id, pool.capacity_bps), []).append(1)
        return all(
            self.most(kind, key, begin, end)[0] + self.bandwidth * len(times) <= capacity_bps
            for (kind, key, capacity_bps), times in wants.items()
        )

    # -- what is held ------------------------------------------------------------------------------------------

    def most(self, resource: str, key: str, begin: int, end: int) -> tuple:
        """The most that is held at any moment of [begin, end), figure by figure."""
        mine = [hold for hold in self.holds if hold.resource == resource and hold.key == key]
        moments = [begin, *(hold.start_us for hold in mine if begin < hold.start_us < end)]
        if begin >= end:
            return (0,) * (4 if resource == "pool" else 1)
        rows = [held_at(mine, resource, moment) for moment in moments]
        return tuple(max(column) for column in zip(*rows, strict=True))

    # -- data --------------------------------------------------------------------------------------------------

    def option(self, move: tuple, replica: str, rate: int, target: str, start: int):
        """(span, price, links) of one body from one replica at one rate, or None."""
        if target in move[2]:
            return (0, 0, (), 0)
        sending = -(-move[1] * 8 * 10**6 // rate)
        if sending > YEAR:
            return None
        found = None
        for sites, links in self.walks(replica):
            if sites[-1] != target:
                continue
            latency = sum(link.latency_us for link, _ in links)
            until = start + sending + latency
            if any(
                link.capacity_bps < rate
                or self.most("link", f"{link.id}:{side}", start, until)[0] + rate > link.capacity_bps
                for link, side in links
            ):
                continue
            price = sum(link.price_micro_yuan_per_gib for link, _ in links)
            key = (price, latency, len(links))
            if found is None or key < found[0]:
                found = (key, (sending + latency, price, links, rate))
        return found[1] if found else None

    def brought(self, target: str, start: int) -> Iterator[tuple[int, int]]:
        """(span, price) of every combination of options that fits together."""
        each = []
        for move in self.moves:
            options = [self.option(move, replica, rate, target, start) for replica in move[2] for rate in self.rates]
            each.append([one for one in options if one is not None])
        for combination in itertools.product(*each):
            if not self.together(combination, start):
                continue
            lines = [
                transfer_line(move[0], move[1], one[1])
                for move, one in zip(self.moves, combination, strict=True)
                if one[1]
            ]
            yield max((one[0] for one in combination), default=0), total_micro_yuan(lines)

    def together(self, combination: tuple, start: int) -> bool:
        for link, side in {step for one in combination for step in one[2]}:
            users = [one for one in combination if (link, side) in one[2]]
            for moment in {one[0] for one in users}:
                rate = sum(one[3] for one in users if one[0] >= moment)
                if self.most("link", f"{link.id}:{side}", start, start + moment)[0] + rate > link.capacity_bps:
                    return False
        return True

    # -- starts ------------------------------------------------------------------------------------------------

    def starts(self, pools: list) -> list[int]:
        edges, day = [], 24 * HOUR
        for hour in range(1, 24 * 40):
            moment = ((self.earliest + 8 * HOUR) // day * day) - 8 * HOUR + hour * HOUR
            clock = hour % 24
            turns = any(
                factor_permille(book, clock) != factor_permille(book, (clock - 1) % 24)
                for book in self.grid.price_books
            )
            if moment > self.earliest and turns:
                edges.append(moment)
        keys = {("pool", pool.id) for pool, _ in pools}
        if self.bandwidth or self.moves:
            keys |= {(hold.resource, hold.key) for hold in self.holds if hold.resource != "pool"}
        ends = set()
        for hold in self.holds:
            if (hold.resource, hold.key) in keys and hold.end_us > self.earliest:
                mine = [one for one in self.holds if (one.resource, one.key) == (hold.resource, hold.key)]
                before = held_at(mine, hold.resource, hold.end_us - 1)
                after = held_at(mine, hold.resource, hold.end_us)
                if any(two < one for one, two in zip(before, after, strict=True)):
                    ends.add(hold.end_us)
        if not (self.bandwidth or self.moves):
            ends |= {one.end for link in self.grid.links for one in link.maintenance if one.end > self.earliest}
        later = sorted({*edges[:24], *sorted(ends)[:23]})
        deadline = self.request.deadline
        return [self.earliest, *(one for one in later if deadline is None or one + self.wall <= deadline)]

    # -- all of it ---------------------------------------------------------------------------------------------

    def in_question(self) -> list:
        """The pools that pass every clause of place, with some path within the bound through the chain."""
        bound = latency_us_max(self.request)
        out = []
        for pool, site in self.index.pools.values():
            if self.allowed(pool, site):
                reach = [sum(link.latency_us for link, _ in links) for links, _ in self.chain_list(site.id)]
                if any(bound is None or one <= bound for one in reach):
                    out.append((pool, site))
        return out

    def candidates(self, start: int, pools: list) -> Iterator[Candidate]:
        for pool, site in pools:
            for span, moved in self.brought(site.id, start):
                begin, end = start + span, start + span + self.wall
                held = self.most("pool", pool.id, begin, end)
                full = zip(held, figures(self.demand), capacity(pool), strict=True)
                if any(one + two > most for one, two, most in full):
                    continue
                if self.request.deadline is not None and end > self.request.deadline:
                    continue
                path = self.path(site.id, begin, end)
                if path is None:
                    continue
                yield self.priced(pool, site, begin, end, path, moved)

    def priced(self, pool, site, begin: int, end: int, path: tuple, moved: int) -> Candidate:
        (_, latency, _), links, security = path
        book = self.index.price_books[site.price_book]
        shots = self.request.resources.shots * self.request.array
        lines = compute_lines(book, pool, site, self.demand, shots, begin, end)
        for link, _ in links:
            price = link.price_micro_yuan_per_gbps_hour
            lines.append(bandwidth_line(ChargeKind.BANDWIDTH, link.id, self.bandwidth, self.wall, price))
        for one in security:
            price = one.price_micro_yuan_per_gbps_hour
            lines.append(bandwidth_line(ChargeKind.PROTECTION, one.id, self.bandwidth, self.wall, price))
        price = total_micro_yuan(lines) + moved
        carbon = carbon_mg(pool, site, self.demand, self.wall)
        keys = {
            Preference.CHEAPEST: (price, end, latency, pool.id),
            Preference.FASTEST: (end, price, latency, pool.id),
            Preference.GREENEST: (carbon, price, end, pool.id),
        }
        key = (liked(self.request.owners, site.owner), *keys[self.request.preference])
        return Candidate(key, pool.id, price, end, latency)

    def best(self) -> Candidate | None:
        """The best candidate by the published key, or None where there is none."""
        limit, pools = self.request.price_limit, self.in_question()
        found: list[Candidate] = []
        for start in self.starts(pools):
            found += [one for one in self.candidates(start, pools) if limit is None or one.price <= limit]
            if found and self.request.deadline is None:
                break
        return min(found, key=lambda one: one.key, default=None)


def closed(snapshot: Snapshot) -> list[Hold]:
    """A link in maintenance has no room for anything."""
    return [
        Hold(
            resource="link",
            key=f"{link.id}:{side}",
            bps=link.capacity_bps + 1,
            start_us=window.start,
            end_us=window.end,
        )
        for link in snapshot.index.grid.links
        for window in link.maintenance
        for side in ("ab", "ba")
    ]


def liked(owners: tuple, owner: str) -> int | None:
    """How far down the task's list an owner stands; by its name, else among the third parties."""
    if not owners:
        return 0
    names = [owner, *(["third-party"] if owner != "own" else [])]
    return next((owners.index(name) for name in names if name in owners), None)


def within(region: str, allowed: tuple) -> bool:
    return not allowed or region in allowed or region[:2] in allowed


def figures(demand: Demand) -> tuple:
    return (demand.cores, demand.memory_bytes, demand.accelerators, demand.nodes)


def capacity(pool) -> tuple:
    per_node = (pool.cores_per_node, pool.memory_bytes_per_node, pool.accelerators_per_node, 1)
    return tuple(pool.nodes * one for one in per_node)


def held_at(holds: list, resource: str, moment: int) -> tuple:
    rows = [
        figures(hold.demand) if resource == "pool" else (hold.bps,)
        for hold in holds
        if hold.start_us <= moment < hold.end_us
    ]
    return tuple(sum(column) for column in zip(*rows, strict=True)) if rows else (0,) * (4 if resource == "pool" else 1)
