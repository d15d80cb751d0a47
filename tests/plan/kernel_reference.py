"""The published decision written a second time: plain Python, one task at a time, no index and no memory."""

from dataclasses import dataclass, field

import fragmentation_reference as losses
import numpy as np

from suanwang.plan.kernel.fragmentation import NodePolicy
from suanwang.plan.kernel.types import Classes, Fabric, Guidance, Policy, Reason

Row = tuple[int, int, int, int, int, int, int, int]  # as Decisions
PRIME = 2_147_483_647


def shift_of(shape: int) -> int:
    shift = 0
    while shape >> shift >= 32:
        shift += 1
    return shift


def draw_of(seed: int, task: int) -> int:
    value = (task % PRIME + seed % PRIME * 16_807) % PRIME
    for _ in range(3):
        value = (value * 48_271 + 11) % PRIME
    return value


@dataclass
class Reference:
    fabric: Fabric
    classes: Classes
    policy: Policy = Policy.CHEAPEST
    guidance: Guidance | None = None
    seed: int = 0
    seen: list[int] | None = None  # how often each class came: nodes with cards by least loss
    cpu: list[int] = field(default_factory=list)
    mem: list[int] = field(default_factory=list)
    card: list[list[int]] = field(default_factory=list)
    pool: list[list[int]] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)
    quota: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        one = self.fabric
        for pool in range(len(one.pool_site)):
            for _ in range(one.node_first[pool], one.node_first[pool + 1]):
                self.cpu.append(int(one.shape_cpu[pool]))
                self.mem.append(int(one.shape_mem[pool]))
                self.card.append([1000 if card < one.shape_cards[pool] else 0 for card in range(8)])
            self.pool.append([int(one.pool_cpu[pool]), int(one.pool_mem[pool]), int(one.pool_milli[pool])])
        self.shared = [int(each) for each in one.capacity]
        self.quota = [] if self.guidance is None else [int(each) for each in self.guidance.quota]

    def need(self, task_class: int) -> losses.Need:
        """As the node policy sees it: a class takes the models of the pools with cards among its candidates."""
        cpu, mem, cards, milli, _, _ = self.of(task_class)
        first, end = int(self.classes.cand_first[task_class]), int(self.classes.cand_first[task_class + 1])
        pools = {int(pool) for pool in self.classes.cand_pool[first:end]}
        models = {int(self.fabric.pool_model[pool]) for pool in pools if self.fabric.shape_cards[pool]}
        return losses.Need(cpu, mem, cards, min(milli, 1000), sum(1 << model for model in models))

    def expected(self) -> list[tuple[losses.Need, int]]:
        assert self.seen is not None
        needs = [self.need(one) for one in range(len(self.classes.cpu))]
        often = [
            seen * int(nodes) if need.mask else 0
            for seen, nodes, need in zip(self.seen, self.classes.nodes, needs, strict=True)
        ]
        return losses.kept(needs, often, published=False)

    def least_loss(self, task_class: int, pool: int) -> list[tuple[int, tuple[int, ...]]]:
        """All nodes of the pool that can take the task, best first, with the cards."""
        need = self.need(task_class)._replace(mask=-1)  # that the pool's model will do, the candidate says
        expected = self.expected()
        largest = np.array([self.fabric.shape_cpu[pool], 1000 * self.fabric.shape_cards[pool]])
        empty = losses.make_nodes(*(np.zeros(0, np.int64) for _ in range(4)))._replace(largest=largest)
        found = []
        for number in range(int(self.fabric.node_first[pool]), int(self.fabric.node_first[pool + 1])):
            node = losses.Node(
                self.cpu[number], self.mem[number], tuple(self.card[number]), int(self.fabric.pool_model[pool])
            )
            if losses.can(node, need):
                scored = [
                    (
                        -losses.score(
                            NodePolicy.LEAST_LOSS, node, losses.after(node, need, cards), need, expected, empty
                        ),
                        cards,
                    )
                    for cards in losses.choices(node, need)
                ]
                least = min(score for score, _ in scored)
                found.append((least, number, next(cards for score, cards in scored if score == least)))
        return [(number, cards) for _, number, cards in sorted(found)]

    def of(self, task_class: int) -> tuple[int, int, int, int, int, int]:
        one = self.classes
        return tuple(int(part[task_class]) for part in (one.cpu, one.mem, one.cards, one.milli, one.nodes, one.mbps))  # type: ignore[return-value]  # six figures: the checker counts none in a generator

    def nodes_for(self, task_class: int, pool: int) -> list[int] | None:
        """The nodes that it would get in the pool; [] in a pool without nodes; None: no room."""
        cpu, mem, cards, milli, many, _ = self.of(task_class)
        if any(have < many * need for have, need in zip(self.pool[pool], (cpu, mem, milli), strict=True)):
            return None
        first, end = int(self.fabric.node_first[pool]), int(self.fabric.node_first[pool + 1])
        if first == end:
            return []
        keyed = []
        for node in range(first, end):
            if self.cpu[node] < cpu or self.mem[node] < mem:
                continue
            whole = sum(left == 1000 for left in self.card[node])
            opened = max([left for left in self.card[node] if left < 1000], default=0)
            if self.fabric.shape_cards[pool] == 0:
                if cards == 0:
                    keyed.append((0, self.cpu[node] >> shift_of(int(self.fabric.shape_cpu[pool])), node))
            elif 0 < milli < 1000:
                if opened >= milli:
                    keyed.append((0, opened // 100, node))
                elif whole:
                    keyed.append((1, whole, node))
            elif whole >= cards:
                keyed.append((0, whole, node))
        return [node for _, _, node in sorted(keyed)[:many]] if len(keyed) >= many else None

    def crossings(self, candidate: int) -> list[int]:
        route = int(self.classes.cand_route[candidate])
        if route < 0:
            return []
        first, end = self.fabric.route_first[route], self.fabric.route_first[route + 1]
        return [int(use) for use in self.fabric.route_use[first:end]]

    def road_free(self, task_class: int, candidate: int) -> bool:
        crossed = self.crossings(candidate)
        mbps = int(self.classes.mbps[task_class])
        return all(self.shared[use] >= mbps * crossed.count(use) for use in crossed)

    def fits(self, task_class: int, candidate: int) -> bool:
        room = self.nodes_for(task_class, int(self.classes.cand_pool[candidate]))
        return room is not None and self.road_free(task_class, candidate)

    def tried(self, task_class: int, task: int) -> list[int]:
        """Candidates in the order of the policy; the first that fits is taken."""
        one, fabric = self.classes, self.fabric
        first, end = int(one.cand_first[task_class]), int(one.cand_first[task_class + 1])
        all_of = list(range(first, end))
        pool = {each: int(one.cand_pool[each]) for each in all_of}
        if self.policy == Policy.FIRST_FIT:
            return sorted(all_of, key=lambda each: (pool[each], each))
        if self.policy == Policy.CHEAPEST_SITE:
            return sorted(all_of, key=lambda each: (int(fabric.pool_price[pool[each]]), pool[each], each))
        if self.policy == Policy.NEAREST_SITE:
            lag = {x: 0 if one.cand_route[x] < 0 else int(fabric.route_latency_us[one.cand_route[x]]) for x in all_of}
            return sorted(all_of, key=lambda each: (lag[each], each))
        if self.policy == Policy.BEST_FIT:
            what = 2 if one.milli[task_class] > 0 else 0
            whole = (fabric.pool_cpu, fabric.pool_mem, fabric.pool_milli)[what]
            share = {x: self.pool[pool[x]][what] * 1_000_000 // max(int(whole[pool[x]]), 1) for x in all_of}
            return sorted(all_of, key=lambda each: (share[each], each))
        if self.policy == Policy.RANDOM_FEASIBLE and all_of:
            start = draw_of(self.seed, task) % len(all_of)
            return all_of[start:] + all_of[:start]
        if self.guidance is not None:
            bids = self.guidance.bid_cost
            by_bid = [int(each) for each in self.guidance.bid_order[first:end]]
            quoted = [each for each in by_bid if self.quota[each] > 0]
            return quoted + [each for each in by_bid if bids[each] <= one.reject_cost[task_class]]
        return all_of

    def decide(self, task: int, task_class: int) -> list[Row]:
        first, end = int(self.classes.cand_first[task_class]), int(self.classes.cand_first[task_class + 1])
        floats = range(self.classes.float_first[task_class], self.classes.float_first[task_class + 1])
        if any(self.shared[self.classes.float_use[at]] < self.classes.float_amount[at] for at in floats):
            return [(task, task_class, -1, -1, 0, 1, 0, Reason.NO_FLOATING)]
        for candidate in self.tried(task_class, task):
            if self.fits(task_class, candidate):
                return self.place(task, task_class, candidate)
        reason = Reason.NO_NODE
        if first == end:
            reason = Reason.NO_CANDIDATE
        elif (
            self.guidance is not None and max(self.guidance.bid_cost[first:end]) > self.classes.reject_cost[task_class]
        ):
            reason = Reason.TOO_DEAR
        elif any(self.nodes_for(task_class, int(self.classes.cand_pool[x])) is not None for x in range(first, end)):
            reason = Reason.NO_PATH
        return [(task, task_class, -1, -1, 0, 1, 0, reason)]

    def place(self, task: int, task_class: int, candidate: int) -> list[Row]:
        _, _, cards, milli, many, _ = self.of(task_class)
        pool = int(self.classes.cand_pool[candidate])
        nodes = self.nodes_for(task_class, pool)
        assert nodes is not None
        by_loss: dict[int, tuple[int, ...]] = {}
        if self.seen is not None and nodes and self.fabric.shape_cards[pool]:
            by_loss = dict(self.least_loss(task_class, pool)[:many])
            nodes = list(by_loss)
        cost = int(self.classes.cand_cost[candidate])
        rows: list[Row] = []
        if not nodes:
            rows.append((task, task_class, candidate, -1, cost, 1, 0, Reason.PLACED))
        for turn, node in enumerate(nodes):
            fitting = [(left, card) for card, left in enumerate(self.card[node]) if left >= min(milli, 1000)]
            if milli < 1000:
                picked = sorted(fitting)[:1] if milli else []
            else:
                picked = sorted((card, left) for left, card in fitting)[:cards]
                picked = [(left, card) for card, left in picked]
            if by_loss:
                picked = [(0, card) for card in by_loss[node]]
            mask = sum(1 << card for _, card in picked)
            reason = Reason.MEMBER if turn else Reason.PLACED
            rows.append((task, task_class, candidate, node, 0 if turn else cost, many - turn, mask, reason))
        if self.quota and self.quota[candidate] > 0:
            self.quota[candidate] -= 1
        self.move(rows, 1)
        return rows

    def move(self, rows: list[Row], sign: int) -> None:
        """Take what the rows of one task hold (1), or give it back (-1)."""
        _, task_class, candidate, *_ = rows[0]
        cpu, mem, _, milli, many, mbps = self.of(task_class)
        pool = int(self.classes.cand_pool[candidate])
        for place, need in enumerate((cpu, mem, milli)):
            self.pool[pool][place] -= sign * many * need
        for use in self.crossings(candidate):
            self.shared[use] -= sign * mbps
        for at in range(self.classes.float_first[task_class], self.classes.float_first[task_class + 1]):
            self.shared[self.classes.float_use[at]] -= sign * int(self.classes.float_amount[at])
        for row in rows:
            if row[3] >= 0:
                self.cpu[row[3]] -= sign * cpu
                self.mem[row[3]] -= sign * mem
                for card in range(8):
                    if row[6] >> card & 1:
                        self.card[row[3]][card] -= sign * min(milli, 1000)

    def least(self) -> int:
        """The least of all that is free: never below 0."""
        cards = [left for node in self.card for left in node]
        sums = [left for pool in self.pool for left in pool]
        return min([0, *self.cpu, *self.mem, *cards, *sums, *self.shared])


def as_rows(columns: tuple[np.ndarray, ...]) -> list[Row]:
    """Decisions as the reference writes them."""
    return [tuple(int(part) for part in row) for row in zip(*columns, strict=True)]  # type: ignore[misc]  # as above, eight
