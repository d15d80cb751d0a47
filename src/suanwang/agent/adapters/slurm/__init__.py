"""A site's Slurm cluster, by its own commands. See docs/guide/slurm.md."""

from suanwang.agent.adapters.slurm.adapter import SlurmAdapter
from suanwang.agent.adapters.slurm.settings import PoolRoute, SlurmFile, SlurmSettings

__all__ = ["PoolRoute", "SlurmAdapter", "SlurmFile", "SlurmSettings"]
