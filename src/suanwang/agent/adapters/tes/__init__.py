"""A site behind another server of GA4GH TES. See docs/guide/tes-site.md."""

from suanwang.agent.adapters.tes.adapter import TesAdapter
from suanwang.agent.adapters.tes.settings import TesFile, TesPool, TesSettings

__all__ = ["TesAdapter", "TesFile", "TesPool", "TesSettings"]
