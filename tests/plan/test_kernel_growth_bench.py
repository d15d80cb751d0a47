"""The bench's parts in small: growth and its picture, a peer in the same run, memory in a process of its own."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench.planning import growth, memory
from bench.planning.peers import beside_highs
from bench.planning.plot import growth_svg, panels

SVG = "{http://www.w3.org/2000/svg}"


def row(sites: int, nodes: int, batch: int, rate: int) -> dict[str, int]:
    return {"sites": sites, "nodes": nodes, "batch": batch, "decisions_per_core_s": rate}


BY_BATCH = [row(300, 900, 256, 500_000), row(300, 900, 4_096, 2_000_000)]
BY_WORLD = [row(300, 900, 9, 1_000_000), row(300, 10_000, 9, 500_000), row(30, 10_000, 9, 250_000)]


def test_the_picture_has_a_spot_for_each_row_and_higher_means_dearer() -> None:
    image = ElementTree.fromstring(growth_svg(BY_BATCH, BY_WORLD))
    spots = [(float(one.get("cx", "")), float(one.get("cy", ""))) for one in image.iter(f"{SVG}circle")]
    assert len(spots) == 2 + 2 + 2
    assert len(list(image.iter(f"{SVG}polyline"))) == 3
    assert spots[0][0] < spots[1][0]
    assert spots[0][1] < spots[1][1]  # 2 us above 0.5 us: y grows downwards
    assert spots[1][1] - spots[0][1] == pytest.approx(1.5 / 5 * 170, abs=0.2)  # a scale up to 5 us, 170 px high


def test_panels_compare_like_with_like() -> None:
    drawn = panels(BY_BATCH, BY_WORLD)
    assert drawn[1].points == [(900.0, 1.0), (10_000.0, 2.0)]
    assert drawn[2].points == [(30.0, 4.0), (300.0, 2.0)]


def test_a_steady_world_is_full_and_costs_are_counted() -> None:
    said = growth.by_policy(600, 4_000)
    assert said["cheapest"]["cost_over_cheapest"] == 1.0
    for one in said.values():
        assert one["accelerator_fill"] > 0.9
        assert one["refused"] == round((1 - one["placed"]) * 4_000) > 0
    assert said["first_fit"]["cost_over_cheapest"] > 1.0


def test_highs_and_the_kernel_have_the_same_batch() -> None:
    said = beside_highs(sites=40, servers=1_000, classes=100)
    assert said["tasks"] > 10_000
    assert said["bound_micro_yuan"] <= said["cost_micro_yuan"]
    assert said["highs_s"] > 0
    assert said["highs_over_kernel"] == said["highs_s"] / said["kernel_s"]


def test_memory_is_of_the_process_itself() -> None:
    ballast = bytearray(600 * 2**20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    said = memory.measured(600, 3_000)
    assert said["waiting"] == 3_000
    assert said["running"] > 1_000
    assert said["oversubscribed"] == 0
    assert 50 < said["peak_mib"] < 600


def test_a_plot_needs_its_figures(tmp_path: Path) -> None:
    plan = Path(__file__).parents[2] / "bench" / "plan.py"
    command = [sys.executable, str(plan), "--only", "start", "--plot", str(tmp_path / "out.svg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "must run" in done.stderr
