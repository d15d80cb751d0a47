"""What is measured of one instance. Times are of one thread, wall and CPU; every MLU is the independent checker's."""

import time
from typing import Any

import numpy as np
from bench.routing.apart import peak_mb
from bench.routing.instances import Instance, drift

from suanwang.guide.mcf import McfBound, gap
from suanwang.net.network import Ints
from suanwang.net.te import Optimised, Policies, Settings, failures_of, optimise, repair

ONE_PERCENT = 1.01
SHARE_LEAST = 0.06  # where the curve may end
GAPS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)


class Clock:
    """Watches a run: when it came within 1 % of the bound first."""

    def __init__(self, bound: float) -> None:
        self.goal, self.first_s = bound * ONE_PERCENT, None
        self.began_s, self.cpu_s = time.perf_counter(), time.thread_time()

    def __call__(self, mlu: float, lists: int) -> bool:
        if self.first_s is None and mlu <= self.goal:
            self.first_s: float | None = self.wall
        return False

    @property
    def wall(self) -> float:
        return time.perf_counter() - self.began_s

    @property
    def cpu(self) -> float:
        return time.thread_time() - self.cpu_s


def run(
    one: Instance,
    clock: Clock,
    settings: Settings,
    bound_us: Ints | None = None,
    installed: Policies | None = None,
) -> Optimised:
    found = optimise(one.plane, one.shares, one.demands, bound_us, installed, settings, clock)
    score = one.score(found.policies, bound_us)
    assert not score.faults, score.faults[:3]
    assert abs(score.mlu - found.mlu) <= 1e-9 * max(1.0, found.mlu), "the checker finds the same MLU"
    return found


def whole(one: Instance, bound: McfBound, bound_s: float) -> dict[str, Any]:
    """From the IGP: lists of two segments, and of three where two leave more than 1 %."""
    clock = Clock(bound.mlu)
    settings = Settings(segments=3, deep_above=bound.mlu * ONE_PERCENT)
    found = optimise(one.plane, one.shares, one.demands, settings=settings, watch=clock)
    seconds, cpu_s = clock.wall, clock.cpu
    score = one.score(found.policies)
    assert not score.faults, score.faults[:3]
    return {
        "name": one.name,
        "nodes": one.topology.n,
        "links": one.topology.m,
        "demands": one.demands.q,
        "bound": round(bound.mlu, 5),
        "bound_kind": bound.kind,
        "bound_s": round(bound_s, 2),
        "tables_s": round(one.tables_s, 4),
        "igp_mlu": round(one.score(Policies(((),) * one.demands.q)).mlu, 4),
        "mlu": round(score.mlu, 5),
        "gap": round(gap(score.mlu, bound.mlu), 5),
        "segments": 3 if found.shallow_mlu > bound.mlu * ONE_PERCENT else 2,
        "two_segment_mlu": round(found.shallow_mlu, 5),
        "seconds_to_1pct": None if clock.first_s is None else round(clock.first_s, 4),
        "seconds": round(seconds, 4),
        "cpu_seconds": round(cpu_s, 4),
        "policies_share": round(found.policies.share, 4),
        "peak_rss_mb": peak_mb(),
    }


def latency(one: Instance, bound: McfBound, factor: float = 1.2) -> dict[str, Any]:
    """Every demand's worst latency at most so many times the IGP's."""
    bound_us = one.bound_us(factor)
    clock = Clock(bound.mlu)
    segments = 3 if one.topology.n <= 120 else 2
    found = optimise(one.plane, one.shares, one.demands, bound_us, settings=Settings(segments=segments), watch=clock)
    seconds = clock.wall
    score = one.score(found.policies, bound_us)
    late = int((score.worst_us > bound_us).sum())
    return {
        "latency_factor": factor,
        "latency_mlu": round(score.mlu, 5),
        "latency_gap": round(gap(score.mlu, bound.mlu), 5),
        "latency_violations": late,
        "latency_share": round(found.policies.share, 4),
        "latency_seconds": round(seconds, 4),
    }


def curve(one: Instance, bound: McfBound, segments: int) -> dict[str, Any]:
    """Share of demands with a policy, for each gap that is allowed, until it is below `SHARE_LEAST`. What was found for a
    smaller gap counts for a larger one, where it has fewer policies."""
    out: dict[str, float | None] = {}
    least: float | None = None
    for allowed in GAPS:
        goal = bound.mlu * (1 + allowed)
        found = run(one, Clock(bound.mlu), Settings(segments=segments, goal_mlu=goal))
        if found.mlu <= goal * (1 + 1e-9):
            least = found.policies.share if least is None else min(least, found.policies.share)
        out[f"{allowed:.3f}"] = None if least is None else round(least, 4)
        if least is not None and least <= SHARE_LEAST and allowed >= ONE_PERCENT - 1:
            break
    return {"share_at_gap": out}


def churn(one: Instance, found_at: Policies, bound: McfBound) -> dict[str, Any]:
    """The traffic drifts by up to a fifth: what stays installed, mended, against starting anew."""
    later = one.with_traffic(drift(one.demands.bps, seed=7))
    left = later.score(found_at).mlu
    clock = Clock(bound.mlu)
    segments = 3 if any(len(a.segments) > 2 for lists in found_at.lists for a in lists) else 2
    anew = run(later, clock, Settings(segments=segments))
    goal = anew.mlu * 1.002
    clock = Clock(bound.mlu)
    mended = run(later, clock, Settings(segments=segments, goal_mlu=goal, change_price=1e-3), installed=found_at)
    return {
        "drift_mlu_left": round(left, 4),
        "drift_mlu_mended": round(mended.mlu, 4),
        "drift_mlu_anew": round(anew.mlu, 4),
        "drift_changes_mended": mended.changes,
        "drift_changes_anew": anew.policies.changes_from(found_at),
        "drift_seconds": round(clock.wall, 4),
    }


def failures(one: Instance, installed: Policies, segments: int, most: int = 60) -> dict[str, Any]:
    """Cables and risk groups that fail, one at a time (evenly chosen where there are more than `most`)."""
    every = list(failures_of(one.topology))
    chosen = [every[at * len(every) // most] for at in range(most)] if len(every) > most else every
    before = one.score(installed).mlu
    left, mended, cut, changes, seconds = [], [], [], [], []
    for failure in chosen:
        began_s = time.perf_counter()
        settings = Settings(segments=segments, slack=0.01)
        fixed = repair(one.topology, one.demands, installed, failure, goal_mlu=before * 1.01, settings=settings)
        seconds.append(time.perf_counter() - began_s)
        score = one.score(fixed.mended.policies, usable=fixed.usable)
        assert not score.faults and abs(score.mlu - fixed.mended.mlu) <= 1e-9 * max(1.0, score.mlu)
        left.append(fixed.mlu_left)
        mended.append(score.mlu)
        changes.append(fixed.mended.changes)
        cut.append(score.unrouted)
    worst = chosen[int(np.argmax(mended))]
    least = one.bound(60.0, worst.links)
    slow = sorted(seconds)
    return {
        "failures": len(chosen),
        "failures_of": len(every),
        "failure_mlu_left_worst": round(max(left), 4),
        "failure_mlu_mended_worst": round(max(mended), 4),
        "failure_worst": worst.name,
        "failure_worst_bound": round(least.mlu, 4),
        "failure_worst_bound_kind": least.kind,
        "failure_worst_gap": round(gap(max(mended), least.mlu), 4),
        "failure_mended_at_goal": sum(1 for mlu in mended if mlu <= before * 1.01 + 1e-9),
        "failure_cut_off": sum(1 for some in cut if some),
        "failure_changes_median": sorted(changes)[len(changes) // 2],
        "failure_changes_most": max(changes),
        "failure_seconds_median": round(slow[len(slow) // 2], 4),
        "failure_seconds_most": round(slow[-1], 4),
    }


def ways(one: Instance, bound: McfBound, count: int = 8) -> dict[str, Any]:
    """Two segments, large demands in weighted lists."""
    clock = Clock(bound.mlu)
    found = run(one, clock, Settings(ways=count))
    most = max((len(lists) for lists in found.policies.lists), default=0)
    return {"weighted_mlu": round(found.mlu, 5), "weighted_lists_most": most, "weighted_seconds": round(clock.wall, 4)}


def warm() -> None:
    """Compile, or load from the cache, all that is measured."""
    from suanwang.net.igp import build_plane, build_shares
    from suanwang.net.topology import Demands, make_topology

    ring = np.arange(4)
    ones = np.ones(4, np.int64)
    topology = make_topology("warm", list("abcd"), list("abcd"), ring, (ring + 1) % 4, ones, ones * 10, ones)
    plane = build_plane(topology)
    demands = Demands(("a", "b"), np.array([0, 1]), np.array([2, 3]), np.array([5, 6]))
    optimise(plane, build_shares(plane), demands, settings=Settings(segments=3))
