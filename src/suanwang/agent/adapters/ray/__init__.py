"""A site whose cluster is Ray. See docs/guide/ray-site.md."""

from suanwang.agent.adapters.ray.adapter import RayAdapter
from suanwang.agent.adapters.ray.settings import RayFile, RayPool, RaySettings

__all__ = ["RayAdapter", "RayFile", "RayPool", "RaySettings"]
