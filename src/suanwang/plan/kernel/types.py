"""What the bulk kernel reads and writes: structures of arrays, all of them integers.

Units: processors in thousandths of a core, memory in MiB, a whole card = 1,000 milli, bandwidth in Mbit/s, money in
micro-yuan, time in microseconds. Letters of shapes: P pools, N nodes, R shared resources, T routes, C classes,
X candidates of all classes together, n rows of a batch.
"""

from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

I64: TypeAlias = NDArray[np.int64]
I32: TypeAlias = NDArray[np.int32]
U16: TypeAlias = NDArray[np.uint16]
U8: TypeAlias = NDArray[np.uint8]

CARDS_MAX = 8
WHOLE = 1000  # milli of a whole card
ROUTE_MAX = 16  # resources crossed by one route


class Policy(IntEnum):
    """How a candidate is chosen among those that can take the task; all but the first are baselines to compare with."""

    CHEAPEST = 0  # least cost; with guidance: quotas first, then least cost plus bid prices
    FIRST_FIT = 1  # lowest pool number
    CHEAPEST_SITE = 2  # lowest list price of the pool, whatever the road to it costs
    NEAREST_SITE = 3  # least latency
    BEST_FIT = 4  # the pool that is fullest
    RANDOM_FEASIBLE = 5  # by a hash of seed and task


class Reason(IntEnum):
    """What a row of a decision says. Below 8: capacity moved; from 8 on: refused for now."""

    PLACED = 0
    MEMBER = 1  # a further node of the gang in the nearest PLACED row above
    RELEASED = 2
    RELEASED_MEMBER = 3
    NO_CANDIDATE = 8  # no pool passes the static clauses
    NO_NODE = 9  # no candidate has room
    NO_PATH = 10  # since the last release some candidate had room, and none had room and bandwidth
    NO_FLOATING = 11  # a licence or another floating resource is used up
    TOO_DEAR = 12  # what is left costs more, bid prices included, than refusing


class Fabric(NamedTuple):
    """What exists. Nodes of a pool start alike and have following numbers."""

    pool_site: I32  # [P]
    pool_model: I32  # [P] code of the accelerator model, -1 none
    pool_price: I64  # [P] list price of an hour of a node; orders pools for CHEAPEST_SITE, else unused
    pool_cpu: I64  # [P] what may be used of the pool; at most the sum of its nodes, where it has nodes
    pool_mem: I64  # [P]
    pool_milli: I64  # [P] cards in milli
    node_first: I32  # [P+1] nodes of pool p: node_first[p] up to node_first[p+1]; none: only the pool's sums count
    shape_cpu: I32  # [P] of one node
    shape_mem: I32  # [P]
    shape_cards: I32  # [P] 0..8
    capacity: I64  # [R] directed links and security pools in Mbit/s, then floating resources in units of their own
    route_first: I32  # [T+1]
    route_use: I32  # [...] resources crossed, at most ROUTE_MAX a route; each crossing holds the bandwidth again
    route_latency_us: I64  # [T]


class Classes(NamedTuple):
    """Equivalence classes of tasks: the same needs, origin and bounds. Figures are of one node of the task."""

    cpu: I32  # [C]
    mem: I32  # [C]
    cards: I32  # [C] 0..8
    milli: I32  # [C] 1000 * cards; below 1000: a share of one card (cards = 1); 0 without cards
    mbps: I64  # [C] of the whole task, held on every crossing of its route
    nodes: I32  # [C] 1; more: a gang on that many different nodes of one pool, all or nothing
    latency_bound_us: I64  # [C]
    reject_cost: I64  # [C]
    cand_first: I32  # [C+1]
    cand_pool: I32  # [X] only pools that pass every static clause
    cand_route: I32  # [X] -1: nothing is crossed
    cand_cost: I64  # [X] sorted in each class by (cost, latency, pool, route)
    float_first: I32  # [C+1]
    float_use: I32  # [...] floating resources that the class holds wherever it runs (indices of `capacity`)
    float_amount: I64  # [...]


class Ground(NamedTuple):
    """What lies under a fabric: sites and roads. Candidates are made from it; deciding does not read it, reasons do.

    Among the shared resources of the fabric links come first, then security pools, then what floats.
    """

    site_place: I32  # [S] vertex of the network
    site_access_us: I64  # [S] between the vertex and the site
    site_region: I32  # [S] 0..62
    site_level: I32  # [S] security level
    pool_kind: I32  # [P] 0..62
    pool_lacks: I64  # [P] bit of each ability that it has not
    link_from: I32  # [L]
    link_to: I32  # [L]
    link_us: I64  # [L] one way
    guard_place: I32  # [G]
    guard_functions: I64  # [G] bit f: offers protection function f, 1..15
    guard_us: I64  # [G]


class Asks(NamedTuple):
    """What each class asks of the place and of the road, beside `latency_bound_us`."""

    origin: I32  # [C] vertex
    kinds: I64  # [C] bit of each kind of pool that will do
    models: I64  # [C] bit of each model that will do, for classes with cards
    abilities: I64  # [C] bit of each ability that the pool must have
    level: I32  # [C] least security level
    regions: I64  # [C] bit of each region that will do
    functions: I64  # [C] protection functions in the order of crossing, four bits each, the first lowest; 0: none


class Guidance(NamedTuple):
    """What an optimiser outside `plan/` advises; made once, logged before use, never made again in a replay."""

    version: int
    quota: I64  # [X] how many of the class go to the candidate before any fall-back
    bid_order: I32  # [X] candidates of each class by cost plus bid prices; holds indices into X, class by class
    bid_cost: I64  # [X] indexed by candidate; a fall-back is taken only while it is <= reject_cost of the class


class Tasks(NamedTuple):
    """A micro-batch as it came in; arrival is the position."""

    task: I64  # [n]
    task_class: I32  # [n]
    priority: U8  # [n] 0 first


class Decisions(NamedTuple):
    """Rows in the order in which they took effect: 32 bytes each. A gang has one row a node."""

    task: I64
    task_class: I32
    candidate: I32  # index into X, -1 refused
    node: I32  # -1: refused, or a pool without nodes
    cost: I64  # cand_cost on PLACED, 0 else
    nodes: U16  # rows of the task from here on, itself included: n, n-1, .. 1
    cards: U8  # bit i: card i of the node
    reason: U8  # a Reason


DTYPES = {
    "task": np.int64, "task_class": np.int32, "candidate": np.int32, "node": np.int32,
    "cost": np.int64, "nodes": np.uint16, "cards": np.uint8, "reason": np.uint8,
}  # fmt: skip
"""Column of Decisions -> its type; their sizes add up to 32 bytes."""


def empty_decisions(rows: int) -> Decisions:
    """Columns for so many rows, unset."""
    return Decisions(**{name: np.empty(rows, dtype) for name, dtype in DTYPES.items()})


def writeable(column: NDArray[Any]) -> NDArray[Any]:
    """The column, or a copy where it is read-only or not in one piece: kernels are compiled for one kind of array."""
    return np.require(column, requirements=["C", "W"])


def own_rows(rows: Decisions) -> Decisions:
    """Rows as kernels want them, whatever they were read from."""
    return Decisions(**{name: writeable(getattr(rows, name)) for name in DTYPES})


def take(rows: Decisions, which: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Decisions:
    """Some of the rows, in the order asked."""
    return Decisions(**{name: getattr(rows, name)[which] for name in DTYPES})


def join(parts: list[Decisions]) -> Decisions:
    """Rows of several batches, one after the other."""
    return Decisions(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in DTYPES})


def no_floating(classes: int) -> tuple[I32, I32, I64]:
    """The three floating columns of classes that hold none."""
    return np.zeros(classes + 1, np.int32), np.empty(0, np.int32), np.empty(0, np.int64)


def pool_sums(node_first: I32, shape_cpu: I32, shape_mem: I32, shape_cards: I32) -> tuple[I64, I64, I64]:
    """pool_cpu, pool_mem and pool_milli where all of every node may be used."""
    count = np.diff(node_first).astype(np.int64)
    return count * shape_cpu, count * shape_mem, count * shape_cards * WHOLE
