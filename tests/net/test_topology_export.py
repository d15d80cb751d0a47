"""Topologies written as GraphML and as JSON are read back the same, field by field."""

import json
from pathlib import Path

import numpy as np
import pytest
from graphs import random_topology
from hypothesis import given, settings
from hypothesis import strategies as st

from suanwang.grids import SMALL, china_path, dump_graphml, dump_grid, load_graphml, load_grid, random_grid
from suanwang.model.error import FaultsError
from suanwang.model.grid import Grid, LinkKind, Maintenance
from suanwang.net.topology import Topology, document_of, document_of_grid, topology_of_document, topology_of_grid
from suanwang.runtime.topologies import document_of_file, written

ARRAYS = (
    "longitude",
    "latitude",
    "source",
    "target",
    "weight",
    "capacity_bps",
    "latency_us",
    "satellite",
    "reverse",
    "risk_first",
    "risk",
    "first",
    "out",
    "into_first",
    "into",
)


def same(one: Topology, two: Topology) -> None:
    assert (one.name, one.nodes, one.links, one.risk_groups) == (two.name, two.nodes, two.links, two.risk_groups)
    for name in ARRAYS:
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def full_grid(seed: int, sites: int = 9) -> Grid:
    """A grid with a weight, maintenance and a satellite on some links."""
    grid = random_grid(sites, seed, SMALL)
    links = list(grid.links)
    links[0] = links[0].model_copy(
        update={"igp_weight": 77, "maintenance": (Maintenance(start=5, end=9), Maintenance(start=20, end=30))}
    )
    links[-1] = links[-1].model_copy(update={"kind": LinkKind.SATELLITE, "shared_risk_groups": ("sky", "rain")})
    return grid.model_copy(update={"links": tuple(links)})


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 14))
def test_json_of_a_grid_is_read_back_the_same(seed, sites):
    grid = full_grid(seed, sites)
    document = document_of_grid(grid)
    assert type(document).model_validate_json(written(document, "json")) == document
    same(topology_of_document(document), topology_of_grid(grid))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_json_of_any_topology_is_read_back_the_same(seed):
    topology = random_topology(seed, nodes=8, extra=5, one_way=3)
    same(topology_of_document(document_of(topology)), topology)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 14))
def test_graphml_of_a_grid_is_read_back_by_the_loader_with_every_field(seed, sites):
    grid = full_grid(seed, sites)
    read = load_graphml(dump_graphml(document_of_grid(grid)), seed=seed + 1)
    document, again = document_of_grid(grid), document_of_grid(read)
    by_id = {one.id: one for one in again.nodes}
    assert set(by_id) == {one.id for one in document.nodes}
    for node in document.nodes:
        assert (by_id[node.id].label, by_id[node.id].region) == (node.label, node.region)
        assert (by_id[node.id].latitude, by_id[node.id].longitude) == (node.latitude, node.longitude)
    assert {one.id: one for one in again.links} == {one.id: one for one in document.links}


def test_the_china_grid_goes_out_and_comes_back(tmp_path: Path):
    grid = load_grid(china_path())
    file = tmp_path / "china.graphml"
    file.write_text(written(document_of_grid(grid), "graphml"), "utf-8")
    again = document_of_file(file, 7)
    assert {one.id: one for one in again.links} == {one.id: one for one in document_of_grid(grid).links}
    assert {one.id: (one.latitude, one.longitude) for one in again.nodes} == {
        one.id: (round(one.latitude, 4), round(one.longitude, 4)) for one in document_of_grid(grid).nodes
    }


def test_every_kind_of_file_becomes_a_document(tmp_path: Path):
    grid = full_grid(3)
    document = document_of_grid(grid)
    for name, text in (
        ("grid.yaml", dump_grid(grid)),
        ("grid.json", grid.model_dump_json()),
        ("out.json", written(document, "json")),
    ):
        (tmp_path / name).write_text(text, "utf-8")
        assert document_of_file(tmp_path / name, 1) == document
    graph = tmp_path / "two.graph"
    graph.write_text("NODES 2\nlabel x y\na 1 2\nb 3 4\n\nEDGES 1\nlabel src dest weight bw delay\nab 0 1 3 1000 10\n")
    (link,) = document_of_file(graph, 1).links
    assert (link.id, link.source, link.target, link.igp_weight, link.capacity_bps) == ("ab", "a", "b", 3, 10**6)


def codes(error) -> list[str]:
    return [one.code for one in error.value.faults]


def test_what_graphml_cannot_say_is_refused(tmp_path: Path):
    graph = tmp_path / "two.graph"
    graph.write_text("NODES 2\nlabel x y\na 1 2\nb 3 4\n\nEDGES 1\nlabel src dest weight bw delay\nab 0 1 3 1000 10\n")
    with pytest.raises(FaultsError) as error:
        written(document_of_file(graph, 1), "graphml")
    assert codes(error) == ["export_one_way"]


def test_every_fault_of_a_document_is_said(tmp_path: Path):
    text = json.loads(written(document_of_grid(full_grid(3)), "json"))
    text["nodes"][1]["id"] = text["nodes"][0]["id"]
    text["links"][2]["source"] = "nowhere"
    file = tmp_path / "out.json"
    file.write_text(json.dumps(text), "utf-8")
    with pytest.raises(FaultsError) as error:
        document_of_file(file, 1)
    assert {"topology_twice", "topology_end"} <= set(codes(error))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LatencyUs", "soon"),
        ("IgpWeight", "0"),
        ("Maintenance", "5"),
        ("LinkKind", "rope"),
        ("PriceMicroYuanPerGib", "-1"),
    ],
)
def test_a_field_of_ours_that_is_none_is_a_fault(name, value):
    grid = full_grid(3)
    text = dump_graphml(document_of_grid(grid))
    head, _, rest = text.partition(f'<data key="{name}">')
    text = f'{head}<data key="{name}">{value}</data>{rest.partition("</data>")[2]}'
    with pytest.raises(FaultsError) as error:
        load_graphml(text)
    assert codes(error) == ["graphml_value"]


def test_names_that_xml_would_read_are_escaped():
    document = document_of_grid(full_grid(3))
    node = document.nodes[0].model_copy(update={"label": 'a <b> & "c"'})
    text = dump_graphml(document.model_copy(update={"nodes": (node, *document.nodes[1:])}))
    assert any(site.names.en == 'a <b> & "c"' for site in load_graphml(text).sites)
