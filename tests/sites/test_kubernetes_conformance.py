"""Every case of the conformance suite on a real Kubernetes: `make test-sites`."""

import pytest
from tests.sites.kube_cluster import SITES

from suanwang.agent.conformance import adapter_cases

pytestmark = SITES


@pytest.mark.parametrize("name", sorted(adapter_cases()))
def test_conformance(name, kube):
    adapter_cases()[name](kube)
