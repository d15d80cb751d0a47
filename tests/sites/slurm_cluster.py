"""The Slurm cluster of `tools/rigs`, and what a test needs of this host for it, by name."""

import pytest
from tools.rigs.slurm import WORK_USER, SlurmCluster, free_run, has_memory_groups, lacking, which

__all__ = ["SLURM", "WORK_USER", "SlurmCluster", "free_run", "has_memory_groups", "lacking", "which"]
SLURM = [
    pytest.mark.slurm,
    pytest.mark.skipif(lacking() is not None, reason=str(lacking())),
]
