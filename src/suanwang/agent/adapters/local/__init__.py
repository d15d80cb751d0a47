"""Real commands in a real sandbox on this host. See docs/guide/sandbox.md."""

from suanwang.agent.adapters.local.adapter import LocalAdapter
from suanwang.agent.adapters.local.settings import LocalSettings, NetworkRule, SiteShare

__all__ = ["LocalAdapter", "LocalSettings", "NetworkRule", "SiteShare"]
