"""An array in parts: which elements each part runs, and what becomes of the whole when the parts have ended. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from suanwang.dispatch.kinds import Places
from suanwang.model.grid import Pool, PoolKind
from suanwang.model.ids import PoolId, TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.record import ENDS, Phase
from suanwang.model.snapshot import GridIndex
from suanwang.model.task import PART_OF, After, Elements, TaskRequest, When, elements_of, pool_kind

# Parts of one task at the most: each is planned, sent and billed by itself.
PARTS_MAX = 1_000
# An array that no pool holds is cut into parts of this fraction of the largest: a part need not wait for an empty pool.
PART_OF_POOL = 4


@dataclass(frozen=True)
class Whole:
    """How a task in parts has ended."""

    phase: Phase
    reason: FailureReason | None
    detail: str


def shares_of(request: TaskRequest, index: GridIndex, places: Places) -> list[Elements]:
    """The parts of an array; none where it stays whole. Nearly equal, each a range of neighbours, in order."""
    own = request.elements or Elements(first=0, count=request.array)
    wish = request.spread
    if own.count == 1:
        return []
    if request.at_once is not None:
        wave = min(request.at_once, _most(request, index, places.of(request)) or own.count)
        many = -(-own.count // wave)
    elif wish is None:
        many = _parts_by_size(request, index, places.of(request))
    elif wish.sites is not None:
        many = min(wish.sites, own.count)
    else:
        many = -(-own.count // (wish.per_site_max or own.count))
    if many < 2 or many > PARTS_MAX:
        return []
    out, at = [], own.first
    for number in range(many):
        size = own.count // many + (number < own.count % many)
        out.append(Elements(first=at, count=size))
        at += size
    return out


def _parts_by_size(request: TaskRequest, index: GridIndex, pools: Iterable[PoolId]) -> int:
    """How many parts an array needs that is too large for every pool; 1 where some pool holds it, or none one element."""
    most, many = _most(request, index, pools), elements_of(request)
    if not most or many <= most:
        return 1
    return max(-(-many // most), min(PARTS_MAX, -(-many // max(1, most // PART_OF_POOL))))


def _most(request: TaskRequest, index: GridIndex, pools: Iterable[PoolId]) -> int:
    """How many elements the pool that holds most of them holds when it is empty."""
    return max((_held_by(index.pools[one][0], request) for one in pools), default=0)


def _held_by(pool: Pool, request: TaskRequest) -> int:
    """How many elements an empty pool holds."""
    res, kind = request.resources, pool_kind(request.resources)
    if kind in (PoolKind.HPC, PoolKind.QUANTUM):
        return pool.nodes // res.nodes
    has = (pool.cores_per_node, pool.memory_bytes_per_node, pool.accelerators_per_node)
    takes = (res.cpu, res.memory, res.accelerators)
    return min((pool.nodes * one // (two * res.nodes) for one, two in zip(has, takes, strict=True) if two), default=0)


def part_of(request: TaskRequest, elements: Elements, whole: TaskId, before: TaskId | None) -> TaskRequest:
    """The request of one part. Parts of a spread array keep apart by the tag that they all bear; of a price limit each
    has its share. Where only so many elements may run at once, a part comes after the one `before` it."""
    limit = request.price_limit
    wave = () if request.at_once is None or before is None else (After(task=before, when=When.ENDED),)
    tags = {**request.tags, PART_OF: str(whole)}
    return request.model_copy(
        update={
            "name": f"{request.name[:180]} [{elements.first}-{elements.first + elements.count - 1}]",
            "elements": elements,
            "spread": None,
            "at_once": None,
            "after": (*request.after, *wave),
            "tags": tags,
            "apart_from": {PART_OF: str(whole)} if request.spread is not None else request.apart_from,
            "price_limit": None if limit is None else limit * elements.count // elements_of(request),
        }
    )


def ended(parts: Mapping[TaskId, Phase], cancelled: bool, last: FailureReason | None) -> Whole | None:
    """How the whole has ended; None while a part has not. `last`: why the last part to end did."""
    if any(one not in ENDS for one in parts.values()):
        return None
    done = sum(one is Phase.SUCCEEDED for one in parts.values())
    if done == len(parts):
        return Whole(Phase.SUCCEEDED, None, "")
    detail = f"{done} of {len(parts)} parts succeeded"
    for phase in (Phase.CANCELLED, Phase.REFUSED, Phase.EXPIRED):
        if all(one is phase for one in parts.values()) or (phase is Phase.CANCELLED and cancelled):
            by_hand = phase is Phase.CANCELLED and (cancelled or last is not FailureReason.AFTER_LOST)
            reason = FailureReason.CANCELLED if by_hand else last or FailureReason.NO_POOL_LEFT
            return Whole(phase, reason, detail)
    return Whole(Phase.FAILED, last or FailureReason.NO_POOL_LEFT, detail)
