"""Every case of the conformance suite on a real Slurm cluster."""

import pytest
from tests.sites.slurm_cluster import SLURM, has_memory_groups

from suanwang.agent.conformance import adapter_cases

pytestmark = SLURM


@pytest.mark.parametrize("name", sorted(adapter_cases()))
def test_conformance(name, rig):
    if name == "out_of_memory" and not has_memory_groups():
        pytest.skip("Slurm says OUT_OF_MEMORY with control groups only; those of version 1 cannot be written here")
    adapter_cases()[name](rig)
