"""How the cost of a decision grows, drawn as SVG from the measured rows: a panel a dimension, no library."""

from collections.abc import Sequence
from math import log10
from typing import Any, NamedTuple

PANEL, HEIGHT, GAP = 250, 170, 70  # px
LEFT, TOP = 60, 56
INK, GRID, LINE = "#333", "#ddd", "#1b6ca8"
FONT = "system-ui, sans-serif"


class Panel(NamedTuple):
    """Points (size, CPU microseconds of a decision) with what the size is."""

    title: str
    points: list[tuple[float, float]]


def panels(by_batch: Sequence[dict[str, Any]], by_world: Sequence[dict[str, Any]]) -> list[Panel]:
    """By batch; by nodes, at the number of sites that most worlds have; by sites, at the largest number of nodes."""
    sites = [row["sites"] for row in by_world]
    usual = max(set(sites), key=lambda one: (sites.count(one), one))
    most = max(row["nodes"] for row in by_world)
    return [
        Panel("tasks in a batch", _points(by_batch, "batch")),
        Panel(f"nodes, {usual:,} sites", _points([row for row in by_world if row["sites"] == usual], "nodes")),
        Panel(f"sites, {most:,} nodes", _points([row for row in by_world if row["nodes"] > 0.99 * most], "sites")),
    ]


def _points(rows: Sequence[dict[str, Any]], size: str) -> list[tuple[float, float]]:
    return sorted((float(row[size]), 1e6 / float(row["decisions_per_core_s"])) for row in rows)


def growth_svg(by_batch: Sequence[dict[str, Any]], by_world: Sequence[dict[str, Any]]) -> str:
    """The picture; all panels have one scale of microseconds, which begins at 0."""
    drawn = panels(by_batch, by_world)
    highest = max((cost for panel in drawn for _, cost in panel.points), default=1.0)
    parts = [_panel(panel, LEFT + turn * (PANEL + GAP), _ceiling(highest)) for turn, panel in enumerate(drawn)]
    width, height = LEFT + len(drawn) * (PANEL + GAP), TOP + HEIGHT + 56
    title = "CPU microseconds of a decision with its release"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="{FONT}" font-size="12" '
        f'role="img" aria-label="{title}"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{LEFT}" y="26" font-size="15" fill="{INK}">{title}</text>{"".join(parts)}</svg>\n'
    )


def _ceiling(highest: float) -> float:
    """The next of 1, 2, 5, 10, ..."""
    base = 10.0 ** int(log10(highest) // 1)
    return next(base * step for step in (1, 2, 5, 10) if base * step >= highest)


def _panel(panel: Panel, left: float, ceiling: float) -> str:
    """Sizes by their logarithm."""
    logs = [log10(size) for size, _ in panel.points] or [0.0]
    low, span = min(logs), max(max(logs) - min(logs), 1e-9)
    bottom = TOP + HEIGHT
    out = [_text(left, TOP - 10, f"by {panel.title}", "start")]
    for part in range(6):
        y = bottom - HEIGHT * part / 5
        out.append(f'<line x1="{left}" x2="{left + PANEL}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        out.append(_text(left - 8, y + 4, f"{ceiling * part / 5:g}", "end"))
    spots = []
    for turn, (size, cost) in enumerate(panel.points):
        x = left + PANEL * (0.04 + 0.92 * (log10(size) - low) / span)
        y = bottom - HEIGHT * cost / ceiling
        spots.append(f"{x:.1f},{y:.1f}")
        out.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{LINE}"><title>{cost:.3g} at {size:,.0f}</title></circle>'
        )
        out.append(_text(x, bottom + 18 + 14 * (turn % 2), f"{size:,.0f}", "middle"))
    out.append(f'<polyline points="{" ".join(spots)}" fill="none" stroke="{LINE}" stroke-width="2"/>')
    return "".join(out)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}">{text}</text>'
