"""The Kubernetes adapter: see `adapter.py`."""

from suanwang.agent.adapters.kubernetes.adapter import KubernetesAdapter
from suanwang.agent.adapters.kubernetes.api import Api, Connection
from suanwang.agent.adapters.kubernetes.settings import KubernetesFile, KubernetesSettings, PoolRoute, Volume

__all__ = ["Api", "Connection", "KubernetesAdapter", "KubernetesFile", "KubernetesSettings", "PoolRoute", "Volume"]
