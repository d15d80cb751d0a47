"""The whole-network optimiser on the live network or on a pair of files: found, bounded from below, and scored apart."""

from pathlib import Path
from typing import Final

import numpy as np

from suanwang.guide.mcf import flows_of, gap, lp_bound, price_bound
from suanwang.livenet import Matrix, StandingWay, held_at, matrix_of, mlu_of
from suanwang.model.error import Fault, FaultsError
from suanwang.model.network import FailureMended, NetOptimised, OptimiseAsk, PolicyChange
from suanwang.model.snapshot import Snapshot
from suanwang.net.igp import NO_PATH, build_plane, build_shares
from suanwang.net.network import Flags, Ints
from suanwang.net.te import Optimised, Policies, Settings, failures_of, no_policies, optimise, repair
from suanwang.net.te.engine import NO_BOUND_US
from suanwang.net.te.policies import Lists
from suanwang.net.topology import Topology, read_demands, read_graph
from suanwang.runtime.clock import monotonic_s
from suanwang.verify.routing import RoutedDemands, RoutedNet, RoutingScore, score_routing

PPM: Final = 1_000_000
SHARPNESS: Final = (4.0, 16.0, 64.0, 256.0)
CLEARLY: Final = 0.01  # of the MLU


def optimise_live(snapshot: Snapshot, ways: list[StandingWay], at_us: int, ask: OptimiseAsk) -> NetOptimised:
    """What is held at `at_us`, from the lists that pin it now. The MLU before is that of the holds themselves."""
    index = snapshot.index
    idle = {one.id for one in index.grid.links if any(w.start <= at_us < w.end for w in one.maintenance)}
    matrix = matrix_of(index, ways, frozenset(idle | snapshot.links_down), at_us)
    before = mlu_of(index, held_at(snapshot, at_us)).use_ppm
    return _run(matrix, ask, index.grid.id, at_us, before)


def optimise_files(graph: Path, demands: Path, ask: OptimiseAsk) -> NetOptimised:
    """REPETITA's graph and demands, from the IGP. Raises FaultsError with every fault of the files."""
    topology = read_graph(_text(graph), graph.stem, str(graph))
    flows = read_demands(_text(demands), topology, str(demands))
    plane = build_plane(topology)
    bound = np.full(flows.q, NO_BOUND_US, np.int64)
    matrix = Matrix(topology, plane, build_shares(plane), flows, bound, no_policies(flows.q))
    return _run(matrix, ask, topology.name, 0, None)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise FaultsError([Fault("file_unreadable", str(path), str(path), None, {"why": why})], str(path)) from None


def _run(one: Matrix, ask: OptimiseAsk, name: str, at_us: int, before_ppm: int | None) -> NetOptimised:
    began_s = monotonic_s()
    settings = Settings(
        segments=ask.segments, ways=ask.ways, slack=ask.slack_ppm / PPM, change_price=ask.change_price_ppm / PPM
    )
    start = None if before_ppm is None else one.installed
    if one.demands.q:
        found = _found(one, start, settings)
        after, late, unrouted = found.policies, found.late, found.unrouted
    else:
        after, late, unrouted = one.installed, np.zeros(0, np.int64), np.zeros(0, np.int64)
    seconds = monotonic_s() - began_s
    igp, was, score = (_score(one, which, late) for which in (no_policies(one.demands.q), one.installed, after))
    began_s = monotonic_s()
    bound = _bound(one, ask.bound_s, score)
    over = gap(score.mlu, bound[0]) if bound[0] > 0 else None
    labels = one.demands.labels
    failed, broken = _failures(one, after, score, settings, ask.failures)
    return NetOptimised(
        at_us=at_us,
        name=name,
        nodes=one.topology.n,
        links=one.topology.m,
        demands=one.demands.q,
        igp_ppm=_ppm(igp.mlu),
        before_ppm=_ppm(igp.mlu) if before_ppm is None else before_ppm,
        after_ppm=_ppm(score.mlu),
        bound_ppm=int(bound[0] * PPM),
        bound_kind="lp" if bound[1] == "lp" else "dual",
        gap_ppm=None if over is None else max(0, round(over * PPM)),
        policies_before=one.installed.count,
        policies=after.count,
        seconds=round(seconds, 4),
        bound_seconds=round(monotonic_s() - began_s, 3),
        changes=tuple(_changes(one, after, was, score)),
        late=tuple(labels[at] for at in late.tolist()),
        unrouted=tuple(labels[at] for at in unrouted.tolist()),
        faults=(*(f"{labels[at]}: {fault.value}" for at, fault in score.faults), *broken),
        failures=failed,
        failures_of=sum(1 for _ in failures_of(one.topology)) if ask.failures else 0,
    )


def _found(one: Matrix, start: Policies | None, settings: Settings) -> Optimised:
    """From the lists of now, which changes few of them. A step from there moves one demand at a time, and a few large ones
    may leave none that helps: what is found from the IGP is taken in its place where it is clearly better, unless changes
    have a price."""
    if start is not None and settings.change_price > 0:
        return optimise(one.plane, one.shares, one.demands, one.bound_us, start, settings)
    anew = optimise(one.plane, one.shares, one.demands, one.bound_us, None, settings)
    if start is None:
        return anew
    found = optimise(one.plane, one.shares, one.demands, one.bound_us, start, settings)
    return anew if anew.mlu < found.mlu * (1 - CLEARLY) else found


def _ppm(mlu: float) -> int:
    """Rounded: the loads of equal-cost paths are fractions."""
    return round(mlu * PPM)


def _failures(
    one: Matrix, after: Policies, score: RoutingScore, settings: Settings, count: int
) -> tuple[tuple[FailureMended, ...], list[str]]:
    """What the failure of each of the busiest links and groups would do, mended to within 1 % of the MLU before it or as
    far as it goes; and the checker's faults. One that has failed already is passed over."""
    if not count or not one.demands.q:
        return (), []
    use = score.load_bps / np.maximum(one.topology.capacity_bps, 1)
    live = [each for each in failures_of(one.topology) if one.plane.usable[each.links].any()]
    live.sort(key=lambda each: -float(use[each.links].max()))
    found, faults = [], []
    for failure in live[:count]:
        fixed = repair(
            one.topology,
            one.demands,
            after,
            failure,
            score.mlu * (1 + CLEARLY),
            one.bound_us,
            settings,
            one.plane.usable,
        )
        mended = fixed.mended
        left = _score(one, mended.policies, mended.late, fixed.usable)
        found.append(
            FailureMended(
                name=failure.name,
                left_ppm=_ppm(fixed.mlu_left),
                mended_ppm=_ppm(left.mlu),
                changed=mended.changes,
                cut_off=left.unrouted,
            )
        )
        faults += [f"{failure.name}: {one.demands.labels[at]}: {fault.value}" for at, fault in left.faults]
    return tuple(found), faults


def _score(one: Matrix, policies: Policies, late: Ints, usable: Flags | None = None) -> RoutingScore:
    """By the checker, which shares no code with the optimiser. A bound that nothing keeps is no bound."""
    net, many = one.topology, one.demands
    bound_us = np.minimum(one.bound_us, NO_PATH)
    bound_us[late] = NO_PATH
    routed = RoutedNet(
        net.n,
        net.source,
        net.target,
        net.weight,
        np.maximum(net.capacity_bps, 1),
        net.latency_us,
        one.plane.usable if usable is None else usable,
    )
    return score_routing(routed, RoutedDemands(many.source, many.target, many.bps, bound_us), policies.lists)


def _bound(one: Matrix, seconds: int, score: RoutingScore) -> tuple[float, str]:
    """What no routing can be below, and by what: the program, or, where that takes too long, the best of some prices that
    grow with the use of each link in what was found."""
    net, many, up = one.topology, one.demands, one.plane.usable
    if not many.q:
        return 0.0, "lp"
    capacity = np.maximum(net.capacity_bps, 1)[up]
    flows = flows_of(net.n, net.source[up], net.target[up], capacity, (many.source, many.target, many.bps))
    found = lp_bound(flows, float(seconds))
    if found.kind == "lp":
        return found.mlu, "lp"
    at = {pair: place for place, pair in enumerate(zip(flows.source.tolist(), flows.target.tolist(), strict=True))}
    load = np.zeros(len(flows.source))
    for source, target, bps in zip(net.source.tolist(), net.target.tolist(), score.load_bps.tolist(), strict=True):
        place = at.get((source, target))
        if place is not None:
            load[place] += bps
    use = load / flows.capacity_bps / max(score.mlu, 1e-12)
    prices = (np.exp(sharp * (use - 1.0)) / flows.capacity_bps for sharp in SHARPNESS)
    return max(price_bound(flows, price) for price in prices), "dual"


def _changes(one: Matrix, after: Policies, was: RoutingScore, score: RoutingScore) -> list[PolicyChange]:
    """The demands whose lists change, the largest first."""
    net, many = one.topology, one.demands
    out = []
    for at, (old, new) in enumerate(zip(one.installed.lists, after.lists, strict=True)):
        if old != new:
            bound_us = int(one.bound_us[at])
            out.append(
                PolicyChange(
                    demand=many.labels[at],
                    source=net.nodes[int(many.source[at])],
                    target=net.nodes[int(many.target[at])],
                    bps=int(many.bps[at]),
                    before=_words(old, net),
                    after=_words(new, net),
                    latency_us_before=int(was.worst_us[at]),
                    latency_us=int(score.worst_us[at]),
                    promised_us=None if bound_us >= NO_BOUND_US else bound_us,
                )
            )
    return sorted(out, key=lambda change: (-change.bps, change.demand))


def _words(lists: Lists, net: Topology) -> tuple[str, ...]:
    """`2 x a b`: the weight, then nodes and directed links."""
    return tuple(
        f"{weight} x " + " ".join(net.nodes[one] if one >= 0 else net.links[-1 - one] for one in segments)
        for weight, segments in lists
    )
