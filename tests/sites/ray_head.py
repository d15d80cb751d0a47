"""The Ray head of `tools/rigs`, and what a test needs of this host for it, by name."""

import pytest
from tools.rigs.ray import RayHead, lacking

__all__ = ["SITES", "RayHead"]
SITES = [pytest.mark.sites, pytest.mark.skipif(lacking() is not None, reason=str(lacking()))]
