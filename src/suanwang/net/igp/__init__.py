"""What the IGP does with traffic: shortest paths with equal-cost multipath, on one metric (a plane)."""

from suanwang.net.igp.shares import Shares, build_shares
from suanwang.net.igp.tables import NO_PATH, Plane, build_plane, node_sums, node_worst

__all__ = ["NO_PATH", "Plane", "Shares", "build_plane", "build_shares", "node_sums", "node_worst"]
