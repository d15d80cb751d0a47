"""A trace cut, thinned or sped up, before anything is played. Every step leaves a note."""

import random
from dataclasses import dataclass, replace

from suanwang.model.trace import Arrival, Note, Run, Trace
from suanwang.model.units import US_PER_S, show_span


@dataclass(frozen=True)
class Shape:
    """In this order: a window of the trace, a sample of the tasks in it, and its time.

    `speed` shortens the gaps between arrivals and the runs alike: the load stays, the day gets shorter.
    `squeeze` shortens the gaps alone: the load grows by it.
    """

    from_us: int = 0  # after the first arrival
    for_us: int | None = None
    sample: int | None = None
    speed: float = 1.0
    squeeze: float = 1.0


def shaped(trace: Trace, shape: Shape, seed: int) -> Trace:
    """The part of a trace that is played. May have no arrival left."""
    arrivals, notes = list(trace.arrivals), list(trace.notes)
    if arrivals and (shape.from_us or shape.for_us is not None):
        whole, first_us = len(arrivals), arrivals[0].at_us + shape.from_us
        end_us = first_us + shape.for_us if shape.for_us is not None else None
        arrivals = [one for one in arrivals if first_us <= one.at_us and (end_us is None or one.at_us < end_us)]
        span = show_span(shape.for_us) if shape.for_us is not None else "…"
        params: dict[str, str | int] = {
            "count": len(arrivals),
            "all": whole,
            "after": show_span(shape.from_us),
            "span": span,
        }
        notes.append(Note("window", params))
    if shape.sample is not None and shape.sample < len(arrivals):
        draw = random.Random(f"{seed}/sample")
        kept = sorted(draw.sample(range(len(arrivals)), shape.sample))
        notes.append(Note("sample", {"count": shape.sample, "all": len(arrivals)}))
        arrivals = [arrivals[at] for at in kept]
    if shape.speed != 1.0:
        notes.append(Note("speed", {"factor": f"{shape.speed:g}"}))
        arrivals = [_shorter(one, arrivals[0].at_us, shape.speed) for one in arrivals]
    if shape.squeeze != 1.0:
        notes.append(Note("squeeze", {"factor": f"{shape.squeeze:g}"}))
        first_us = arrivals[0].at_us if arrivals else 0
        arrivals = [replace(one, at_us=first_us + round((one.at_us - first_us) / shape.squeeze)) for one in arrivals]
    return Trace(tuple(arrivals), tuple(notes))


def _shorter(one: Arrival, first_us: int, speed: float) -> Arrival:
    wall_us = max(US_PER_S, round(one.request.resources.wall_time / speed))
    resources = one.request.resources.model_copy(update={"wall_time": wall_us})
    return replace(
        one,
        at_us=first_us + round((one.at_us - first_us) / speed),
        request=one.request.model_copy(update={"resources": resources}),
        runs=tuple(Run(min(wall_us, max(1, round(run.span_us / speed))), run.outcome) for run in one.runs),
    )
