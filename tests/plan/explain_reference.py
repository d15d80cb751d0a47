"""Why a task is where it is, in plain Python: every pool, clause by clause; every change, tried."""

from dataclasses import dataclass, replace
from typing import Any

from ground_worlds import FAR, ROUTES, World, crossed, nearest_us, protects, road_us
from kernel_reference import Reference

from suanwang.model.reason import PoolReason


@dataclass(frozen=True)
class Wish:
    """A class as one thing, so that one figure of it can be changed."""

    cpu: int
    mem: int
    cards: int
    milli: int
    mbps: int
    nodes: int
    latency_bound_us: int
    reject_cost: int
    origin: int
    kinds: int
    models: int
    abilities: int
    level: int
    regions: int
    functions: int
    floating: tuple[tuple[int, int], ...]


def wish_of(world: World, one: int) -> Wish:
    classes, asks = world.classes, world.asks
    named: dict[str, Any] = {
        name: int(getattr(part, name)[one])
        for part in (classes, asks)
        for name in part._fields
        if name in Wish.__dataclass_fields__
    }
    first, end = int(classes.float_first[one]), int(classes.float_first[one + 1])
    floating = tuple((int(classes.float_use[at]), int(classes.float_amount[at])) for at in range(first, end))
    return Wish(**named, floating=floating)


@dataclass
class Brute:
    world: World
    then: Reference  # what is free
    one: int

    def listed(self, pool: int) -> list[int]:
        classes = self.world.classes
        first, end = int(classes.cand_first[self.one]), int(classes.cand_first[self.one + 1])
        return [at for at in range(first, end) if int(classes.cand_pool[at]) == pool]

    def carries(self, route: int, mbps: int) -> bool:
        used = crossed(self.world.fabric, route)
        return all(self.then.shared[use] >= mbps * used.count(use) for use in used)

    def ways(self, wish: Wish, pool: int) -> list[tuple[int, int]]:
        """(route, time) of all ways with the functions, however long and however full."""
        fabric, ground, _ = self.world.fabric, self.world.ground, None
        found = [
            (route, road_us(fabric, ground, wish.origin, wish.functions, wish.mbps, pool, route))
            for route in range(-1, ROUTES)
        ]
        return [(route, us) for route, us in found if us is not None]

    def node_fits(self, wish: Wish, node: int, pool: int) -> bool:
        cards = sum(left >= min(wish.milli, 1000) for left in self.then.card[node]) if wish.cards else 0
        return self.then.cpu[node] >= wish.cpu and self.then.mem[node] >= wish.mem and cards >= wish.cards

    def room(self, wish: Wish, pool: int) -> bool:
        fabric = self.world.fabric
        if any(self.then.shared[use] < amount for use, amount in wish.floating):
            return False
        needs = (wish.cpu, wish.mem, wish.milli)
        if any(have < wish.nodes * need for have, need in zip(self.then.pool[pool], needs, strict=True)):
            return False
        nodes = range(fabric.node_first[pool], fabric.node_first[pool + 1])
        return not len(nodes) or sum(self.node_fits(wish, node, pool) for node in nodes) >= wish.nodes

    def binding(self, wish: Wish, pool: int) -> PoolReason | None:
        """The first clause that fails; None: could be chosen."""
        fabric, ground = self.world.fabric, self.world.ground
        site = int(fabric.pool_site[pool])
        many = int(fabric.node_first[pool + 1] - fabric.node_first[pool])
        shape = (int(fabric.shape_cpu[pool]), int(fabric.shape_mem[pool]), int(fabric.shape_cards[pool]))
        whole = (int(fabric.pool_cpu[pool]), int(fabric.pool_mem[pool]), int(fabric.pool_milli[pool]))
        model = int(fabric.pool_model[pool])
        if not wish.kinds >> int(ground.pool_kind[pool]) & 1:
            return PoolReason.KIND
        if ground.site_level[site] < wish.level:
            return PoolReason.SECURITY_LEVEL
        if not wish.regions >> int(ground.site_region[site]) & 1:
            return PoolReason.RESIDENCY
        if many and (wish.cpu > shape[0] or wish.mem > shape[1] or wish.cards > shape[2]):
            return PoolReason.NODE_SHAPE
        if wish.cards and (model < 0 or not wish.models >> model & 1):
            return PoolReason.ACCELERATOR
        if wish.abilities & int(ground.pool_lacks[pool]):
            return PoolReason.ABILITY
        needs = (wish.cpu, wish.mem, wish.milli)
        if any(wish.nodes * need > have for need, have in zip(needs, whole, strict=True)) or 0 < many < wish.nodes:
            return PoolReason.POOL_SIZE
        free = self.ways(replace(wish, functions=0), pool)
        if not any(us <= wish.latency_bound_us for _, us in free):
            return PoolReason.LATENCY
        near = [route for route, us in self.ways(wish, pool) if us <= wish.latency_bound_us]
        if not near:
            return PoolReason.PROTECTION
        if not any(self.carries(route, wish.mbps) for route in near):
            return PoolReason.BANDWIDTH
        if not self.room(wish, pool):
            return PoolReason.CAPACITY
        if self.then.guidance is not None and self.listed(pool):
            fine = [
                at
                for at in self.listed(pool)
                if self.carries(int(self.world.classes.cand_route[at]), wish.mbps)
                and (self.then.quota[at] > 0 or int(self.then.guidance.bid_cost[at]) <= wish.reject_cost)
            ]
            return None if fine else PoolReason.PRICE_LIMIT
        return None

    def admits(self, wish: Wish) -> list[int]:
        """Pools that would take it."""
        return [pool for pool in range(len(self.world.fabric.pool_site)) if self.binding(wish, pool) is None]

    def best_change(self, wish: Wish, figure: str) -> tuple[int, int] | None:
        """(needed, pool): the nearest value of the figure with which some pool takes the task."""
        for value in self._values(wish, figure):
            changed = replace(wish, **{figure: value})
            if figure == "cards":
                changed = replace(changed, milli=1000 * value)
            if pools := self.admits(changed):
                return value, pools[0]
        return None

    def _values(self, wish: Wish, figure: str) -> list[int]:
        """The values at which something changes, nearest first."""
        then, asked = self.then, int(getattr(wish, figure))
        many, lower = wish.nodes, True
        found: set[int] = set()
        if figure in ("cpu", "mem"):
            column = then.cpu if figure == "cpu" else then.mem
            part = 0 if figure == "cpu" else 1
            found = {int(one) for one in column} | {one[part] // many for one in then.pool}
        elif figure == "milli":
            found = {left for node in then.card for left in node} | {one[2] // many for one in then.pool}
        elif figure == "mbps":
            found = {free // times for free in then.shared for times in range(1, 6)}
        elif figure in ("cards", "nodes", "level"):
            found = set(range(1, asked + 1))
        elif figure == "latency_bound_us":
            lower = False
            pools = range(len(self.world.fabric.pool_site))
            found = {us for pool in pools for _, us in self.ways(wish, pool) if us < FAR}
        elif figure == "reject_cost":
            lower = False
            assert then.guidance is not None
            found = {int(then.guidance.bid_cost[at]) for at in range(len(then.guidance.bid_cost))}
        else:
            raise AssertionError(figure)
        if lower:
            return sorted((one for one in found if 1 <= one < asked), reverse=True)
        return sorted(one for one in found if one > asked)

    def named_change(self, wish: Wish, figure: str, needed: int) -> list[int]:
        """Pools that take the task with the change of a figure that is a name."""
        if figure == "functions":
            return self.admits(replace(wish, functions=0))
        if figure == "abilities":
            return self.admits(replace(wish, abilities=needed))
        return self.admits(replace(wish, **{figure: getattr(wish, figure) | 1 << needed}))


__all__ = ["Brute", "Wish", "nearest_us", "protects", "wish_of"]
