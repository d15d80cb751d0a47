"""A topology as a document (`model/topology.py`), and back: the arrays come out the same."""

from collections.abc import Iterator

import numpy as np

from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import Grid
from suanwang.model.topology import TopologyDocument, TopologyLink, TopologyNode
from suanwang.net.network import Ints
from suanwang.net.topology.of_grid import topology_of_grid
from suanwang.net.topology.topology import Topology, make_topology


def document_of_grid(grid: Grid) -> TopologyDocument:
    """The network of a grid, with what only a grid says of its sites and links."""
    plain = document_of(topology_of_grid(grid))
    nodes = tuple(
        node.model_copy(update={"label": site.names.en, "region": site.region})
        for node, site in zip(plain.nodes, grid.sites, strict=True)
    )
    links = []
    for at, link in enumerate(plain.links):
        one = grid.links[at // 2]
        more = {
            "maintenance": one.maintenance,
            "kind": one.kind.value,
            "length_km": one.length_km,
            "price_micro_yuan_per_gbps_hour": one.price_micro_yuan_per_gbps_hour,
            "price_micro_yuan_per_gib": one.price_micro_yuan_per_gib,
        }
        links.append(link.model_copy(update=more))
    return plain.model_copy(update={"nodes": nodes, "links": tuple(links)})


def document_of(topology: Topology) -> TopologyDocument:
    """The arrays as values. Nodes are called by their place and their label where labels repeat or are empty."""
    ids = _ids(topology.nodes)
    links = _ids(topology.links)
    reverse = topology.reverse.tolist()
    return TopologyDocument(
        name=topology.name,
        nodes=tuple(
            TopologyNode(id=one, label=label, longitude=x, latitude=y)
            for one, label, x, y in zip(
                ids, topology.nodes, topology.longitude.tolist(), topology.latitude.tolist(), strict=True
            )
        ),
        links=tuple(
            TopologyLink(
                id=links[at],
                source=ids[int(topology.source[at])],
                target=ids[int(topology.target[at])],
                reverse=links[reverse[at]] if reverse[at] >= 0 else None,
                capacity_bps=int(topology.capacity_bps[at]),
                latency_us=int(topology.latency_us[at]),
                igp_weight=int(topology.weight[at]),
                satellite=bool(topology.satellite[at]),
                shared_risk_groups=tuple(topology.risk_groups[int(one)] for one in topology.risks_of(at)),
            )
            for at in range(topology.m)
        ),
    )


def _ids(names: tuple[str, ...]) -> list[str]:
    """The names, or where they cannot tell all apart each with its place before it."""
    if all(names) and len(set(names)) == len(names):
        return list(names)
    return [f"{at}-{name}".rstrip("-") for at, name in enumerate(names)]


def topology_of_document(one: TopologyDocument, source: str = "topology") -> Topology:
    """The arrays. Raises FaultsError for each end that is no node, and for names that come twice."""
    faults = list(_faults(one))
    if faults:
        raise FaultsError(faults[:20], source)
    at = {node.id: number for number, node in enumerate(one.nodes)}
    return make_topology(
        one.name,
        [node.id for node in one.nodes],
        [link.id for link in one.links],
        _ints([at[link.source] for link in one.links]),
        _ints([at[link.target] for link in one.links]),
        _ints([link.igp_weight for link in one.links]),
        _ints([link.capacity_bps for link in one.links]),
        _ints([link.latency_us for link in one.links]),
        longitude=np.array([node.longitude for node in one.nodes], np.float64),
        latitude=np.array([node.latitude for node in one.nodes], np.float64),
        satellite=np.array([link.satellite for link in one.links], np.bool_),
        risks=[link.shared_risk_groups for link in one.links],
    )


def _faults(one: TopologyDocument) -> Iterator[Fault]:
    known: set[str] = set()
    for at, node in enumerate(one.nodes):
        if node.id in known:
            yield Fault("topology_twice", f"nodes[{at}].id", node.id)
        known.add(node.id)
    links: set[str] = set()
    for at, link in enumerate(one.links):
        if link.id in links:
            yield Fault("topology_twice", f"links[{at}].id", link.id)
        links.add(link.id)
        for name in ("source", "target"):
            if getattr(link, name) not in known:
                yield Fault("topology_end", f"links[{at}].{name}", getattr(link, name))


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)
