"""Paths over the network of a grid. See README.md."""

from suanwang.net.network import Network, build_network
from suanwang.net.search import NO_BOUND_US, Rules, search
from suanwang.net.tree import Tree, Walk

__all__ = ["NO_BOUND_US", "Network", "Rules", "Tree", "Walk", "build_network", "search"]
