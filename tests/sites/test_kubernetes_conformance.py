"""Every case of the conformance suite on a real Kubernetes: `make test-sites`."""

import pytest
from tests.sites.kube_cluster import SITES
from tests.sites.kube_contract import contract_cases

from suanwang.agent.conformance import adapter_cases

pytestmark = SITES


@pytest.mark.parametrize("name", sorted(adapter_cases()))
def test_conformance(name, kube):
    adapter_cases()[name](kube)


@pytest.mark.parametrize("name", sorted(contract_cases()))
def test_a_real_server_keeps_the_contract_that_the_fake_one_keeps(name, kubernetes):
    contract_cases()[name](kubernetes)
