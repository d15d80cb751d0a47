"""Make the plan's value from a decision: paths by name, holds, the quote line by line."""

import base64
import zlib
from typing import Literal

from suanwang.model.ids import PoolId, SiteId
from suanwang.model.plan import (
    Alternative,
    DataMove,
    Demand,
    DirectedLink,
    Hold,
    Line,
    Path,
    Plan,
    ProtectionStep,
)
from suanwang.model.reason import WRITTEN_POOL_REASONS
from suanwang.model.tariff import compute_lines, network_lines, total_micro_yuan, transfer_line
from suanwang.net import Walk
from suanwang.net.network import Ints
from suanwang.plan.ask import PlanAsk, PlanIds
from suanwang.plan.clauses import CHOSEN, CODE, ORDER
from suanwang.plan.decide import Decision
from suanwang.plan.layout import Layout
from suanwang.plan.money import PRICE_MAX
from suanwang.plan.need import MoveNeed, Need
from suanwang.plan.scene import Scene
from suanwang.plan.weigh import SHOWN, WORSE, Start

# Codes go by the order of the clauses; what is written goes by the age of the reasons.
AS_WRITTEN = bytes([*(WRITTEN_POOL_REASONS.index(one) for one in ORDER), *range(len(ORDER), 256)])
AS_READ = bytes([*(CODE[one] for one in WRITTEN_POOL_REASONS), *range(len(ORDER), 256)])


def build_plan(scene: Scene, ask: PlanAsk, decision: Decision, ids: PlanIds) -> Plan:
    """The plan of the chosen candidate."""
    assert decision.chosen is not None, "there is something to build"
    need, best, at = decision.need, decision.best, decision.chosen
    layout, start = scene.layout, best.starts[int(best.start[at])]
    assert start is not None, "the start of a best candidate is kept"
    pool_number = int(best.pools[at])
    pool, site = layout.pools[pool_number]
    node, end_us = int(layout.node[pool_number]), int(best.end_us[at])
    run_start_us = end_us - need.wall_us
    walk = user_walk(start, node, run_start_us)
    data = build_moves(layout, need, start, int(best.combination[at]), node)
    protection = steps_of(layout, need, walk)
    path = build_path(layout, int(layout.network.node_of[need.origin]), walk)
    book = layout.index.price_books[site.price_book]
    quote = [
        *compute_lines(book, pool, site, need.demand, need.shots, run_start_us, end_us),
        *network_lines(layout.index, need.bandwidth_bps, need.wall_us, path, protection),
        *_transfer_lines(layout, data),
    ]
    price = total_micro_yuan(quote)
    assert min(price, PRICE_MAX) == int(best.price[at]), "the plan costs what it was weighed at"
    state = scene.sites.get(site.id)
    return Plan.model_construct(
        plan_id=ids.plan_id(),
        task_id=ask.task_id,
        lease_id=ids.lease_id(),
        generation=ask.generation,
        parent=ask.parent,
        snapshot_version=scene.version,
        site=site.id,
        pool=pool.id,
        emulated=state is not None and state.emulated,
        demand=need.demand,
        start_us=start.start_us,
        run_start_us=run_start_us,
        end_us=end_us,
        path=path,
        bandwidth_bps=need.bandwidth_bps,
        protection=protection,
        data=data,
        holds=(*place_holds(need, pool.id, path, protection, run_start_us, end_us), *_move_holds(data)),
        quote=tuple(quote),
        quote_micro_yuan=price,
        carbon_mg=int(best.carbon_mg[at]),
        alternatives=alternatives(layout, decision),
        verdicts=pack(decision.verdicts()),
    )


def pack(codes: Ints) -> str:
    """Verdicts as text: one byte a pool, compressed."""
    return base64.b64encode(zlib.compress(bytes(codes.tolist()).translate(AS_WRITTEN), 1)).decode()


def unpack(text: str) -> bytes:
    """What `pack` packed."""
    return zlib.decompress(base64.b64decode(text)).translate(AS_READ)


def user_walk(start: Start, node: int, run_start_us: int) -> Walk:
    """The user's path to a node for a run that begins then."""
    tree = start.roads.tree_at(run_start_us)
    return tree.walk(node)


def build_path(layout: Layout, origin: int, walk: Walk) -> Path:
    """A walk by its names."""
    sites, links = layout.index.grid.sites, layout.index.grid.links
    to = layout.network.to
    return Path.model_construct(
        sites=(sites[origin].id, *(sites[int(to[edge])].id for edge in walk.edges)),
        links=tuple(
            DirectedLink.model_construct(link=links[edge // 2].id, forward=edge % 2 == 0) for edge in walk.edges
        ),
        latency_us=walk.latency_us,
    )


def build_moves(layout: Layout, need: Need, start: Start, combination: int, node: int) -> tuple[DataMove, ...]:
    """The data moves of a combination to a node."""
    return tuple(
        _move(layout, need.moves[number], start, int(option), node)
        for number, option in enumerate(start.moves.picks[combination, node].tolist())
    )


def _move(layout: Layout, move: MoveNeed, start: Start, pick: int, node: int) -> DataMove:
    here: SiteId = layout.index.grid.sites[node].id
    stays = here in move.replicas
    option = start.moves.options[pick]
    if stays:
        path, span_us = Path.model_construct(sites=(here,), links=(), latency_us=0), 0
    else:
        path = build_path(layout, option.replica, option.tree_to(node).walk(node))
        span_us = option.sending_us + path.latency_us
    return DataMove.model_construct(
        data_set=move.data_set,
        version=move.version,
        replica=path.sites[0],
        size_bytes=move.size_bytes,
        path=path,
        rate_bps=0 if stays else option.rate_bps,
        start_us=start.start_us,
        end_us=start.start_us + span_us,
    )


def steps_of(layout: Layout, need: Need, walk: Walk) -> tuple[ProtectionStep, ...]:
    """The security pools that a walk passes."""
    out = []
    pools = list(layout.index.security_pools.values())
    for function, (number, _) in zip(need.chain, walk.pools, strict=True):
        pool, site = pools[number]
        out.append(ProtectionStep.model_construct(function=function, security_pool=pool.id, site=site.id))
    return tuple(out)


def _transfer_lines(layout: Layout, data: tuple[DataMove, ...]) -> list[Line]:
    out = []
    for move in data:
        price = sum(layout.index.links[one.link].price_micro_yuan_per_gib for one in move.path.links)
        if price:
            out.append(transfer_line(move.data_set, move.size_bytes, price))
    return out


def place_holds(
    need: Need, pool: PoolId, path: Path, protection: tuple[ProtectionStep, ...], start_us: int, end_us: int
) -> list[Hold]:
    """What a place and the way to it hold while the task runs."""
    out = [_hold("pool", pool, start_us, end_us, need.demand)]
    if need.bandwidth_bps:
        out += [hold_line("link", link_key(one), start_us, end_us, need.bandwidth_bps) for one in path.links]
        out += [
            hold_line("protection", step.security_pool, start_us, end_us, need.bandwidth_bps) for step in protection
        ]
    return out


def _move_holds(data: tuple[DataMove, ...]) -> list[Hold]:
    return [
        hold_line("link", link_key(one), move.start_us, move.end_us, move.rate_bps)
        for move in data
        for one in move.path.links
    ]


def hold_line(resource: Literal["link", "protection"], key: str, start_us: int, end_us: int, bps: int) -> Hold:
    """A hold of bandwidth."""
    return _hold(resource, key, start_us, end_us, bps=bps)


def _hold(
    resource: Literal["pool", "link", "protection"],
    key: str,
    start_us: int,
    end_us: int,
    demand: Demand | None = None,
    bps: int = 0,
) -> Hold:
    return Hold.model_construct(resource=resource, key=key, demand=demand, bps=bps, start_us=start_us, end_us=end_us)


def link_key(one: DirectedLink) -> str:
    """The key of a hold on one direction of a link."""
    return f"{one.link}:{'ab' if one.forward else 'ba'}"


def alternatives(layout: Layout, decision: Decision) -> tuple[Alternative, ...]:
    """The best others: feasible ones by the objective, then those that came nearest to being feasible."""
    best = decision.best
    places = decision.order[1:SHOWN]
    if len(places) < SHOWN - 1:
        rest = [at for at in range(len(best.pools)) if best.code[at] != WORSE]
        rest.sort(key=lambda at: (-int(best.code[at]), int(best.end_us[at]), int(best.rank[at])))
        places += rest[: SHOWN - 1 - len(places)]
    return tuple(_alternative(layout, decision, at) for at in places)


def _alternative(layout: Layout, decision: Decision, at: int) -> Alternative:
    best = decision.best
    code, price, end_us, late = (int(one[at]) for one in (best.code, best.price, best.end_us, best.latency_us))
    assert code != CHOSEN, "the chosen pool is no alternative"
    return Alternative.model_construct(
        pool=layout.index.pool_order[int(best.pools[at])],
        reason=ORDER[code],
        price_micro_yuan=price if 0 < price < PRICE_MAX or code == WORSE else None,
        finish_us=end_us if end_us < PRICE_MAX else None,
        latency_us=late if late < PRICE_MAX else None,
        carbon_mg=int(best.carbon_mg[at]),
    )
