"""A routed network as arrays, and where it comes from. See README.md of `net`."""

from suanwang.net.topology.demands import Demands
from suanwang.net.topology.document import document_of, document_of_grid, topology_of_document
from suanwang.net.topology.of_grid import topology_of_grid
from suanwang.net.topology.repetita import read_demands, read_graph, write_demands, write_graph
from suanwang.net.topology.topology import IGP_WEIGHT_MAX, NODES_MAX, Topology, make_topology

__all__ = [
    "IGP_WEIGHT_MAX",
    "NODES_MAX",
    "Demands",
    "Topology",
    "document_of",
    "document_of_grid",
    "make_topology",
    "read_demands",
    "read_graph",
    "topology_of_document",
    "topology_of_grid",
    "write_demands",
    "write_graph",
]
