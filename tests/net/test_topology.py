"""Topologies and demands in and out of their text form, and the network of a grid."""

import numpy as np
import pytest

from suanwang.grids import random_grid
from suanwang.model.error import FaultsError
from suanwang.net.topology import read_demands, read_graph, topology_of_grid, write_demands, write_graph

GRAPH = """NODES 3
label x y
a 1.5 2
b none 3
c 4 5

EDGES 5
label src dest weight bw delay
ab 0 1 10 1000 500
ba 1 0 10 1000 500
bc 1 2 1 2000 7
cb 2 1 1 2000 7
again 0 1 10 1000 500
"""
DEMANDS = "DEMANDS 2\nlabel src dest bw\nd0 0 2 40\nd1 2 0 5\n"


def test_a_graph_is_read_with_its_units() -> None:
    topology = read_graph(GRAPH, "small")
    assert (topology.n, topology.m) == (3, 5)
    assert topology.capacity_bps.tolist() == [1_000_000, 1_000_000, 2_000_000, 2_000_000, 1_000_000]
    assert topology.latency_us.tolist() == [500, 500, 7, 7, 500]
    assert topology.reverse.tolist() == [1, 0, 3, 2, -1]
    assert topology.longitude.tolist() == [1.5, 0.0, 4.0]
    assert topology.out[topology.first[0] : topology.first[1]].tolist() == [0, 4]
    assert topology.into[topology.into_first[1] : topology.into_first[2]].tolist() == [0, 3, 4]


def test_written_and_read_again_it_is_the_same() -> None:
    topology = read_graph(GRAPH, "small")
    again = read_graph(write_graph(topology), "small")
    for name in ("source", "target", "weight", "capacity_bps", "latency_us", "longitude"):
        assert np.array_equal(getattr(topology, name), getattr(again, name))
    assert (again.nodes, again.links) == (topology.nodes, topology.links)
    demands = read_demands(DEMANDS, topology)
    assert demands.bps.tolist() == [40_000, 5_000]
    assert write_demands(demands) == DEMANDS


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "repetita_section", 0),
        ("NODES many\n", "repetita_section", 1),
        ("NODES 99999\n", "repetita_too_many", 1),
        ("NODES 2\nlabel x y\na 0 0\n", "repetita_ends_early", 3),
        (GRAPH.replace("ab 0 1 10 1000 500", "ab 0 1 10 1000"), "repetita_columns", 9),
        (GRAPH.replace("ab 0 1 10", "ab 0 7 10"), "repetita_number", 9),
        (GRAPH.replace("ab 0 1 10", "ab 0 1 0"), "repetita_number", 9),
        (GRAPH.replace("1000 500", "nan 500", 1), "repetita_number", 9),
        (GRAPH.replace("1000 500", "1000 -5", 1), "repetita_number", 9),
        (GRAPH.replace("1000 500", "1000 1e400", 1), "repetita_number", 9),
    ],
)
def test_a_fault_has_its_line(text: str, code: str, line: int) -> None:
    with pytest.raises(FaultsError) as caught:
        read_graph(text, "small")
    assert [(one.code, one.line) for one in caught.value.faults] == [(code, line)]


def test_all_faults_at_once() -> None:
    text = GRAPH.replace("ab 0 1 10", "ab 9 1 0").replace("bc 1 2 1", "bc 1 2 -1")
    with pytest.raises(FaultsError) as caught:
        read_graph(text, "small")
    assert [one.line for one in caught.value.faults] == [9, 9, 11]


def test_a_demand_names_nodes_that_are_there() -> None:
    with pytest.raises(FaultsError) as caught:
        read_demands(DEMANDS.replace("d1 2 0", "d1 3 0"), read_graph(GRAPH, "small"))
    assert caught.value.faults[0].params == {"least": 0, "most": 2}


def test_a_grid_gives_two_directed_links_a_link() -> None:
    grid = random_grid(12, seed=5)
    topology = topology_of_grid(grid)
    assert topology.m == 2 * len(grid.links) and topology.nodes == tuple(site.id for site in grid.sites)
    assert topology.reverse.tolist() == [at ^ 1 for at in range(topology.m)]
    for at, link in enumerate(grid.links):
        assert topology.nodes[topology.source[2 * at]] == link.a == topology.nodes[topology.target[2 * at + 1]]
        assert int(topology.latency_us[2 * at]) == link.latency_us
        assert {topology.risk_groups[one] for one in topology.risks_of(2 * at)} == set(link.shared_risk_groups)
    for group in range(len(topology.risk_groups)):
        named = [at for at, link in enumerate(grid.links) if topology.risk_groups[group] in link.shared_risk_groups]
        assert topology.links_of_risk(group).tolist() == [one for at in named for one in (2 * at, 2 * at + 1)]
