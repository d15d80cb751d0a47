"""Every case of the conformance suite on a real Ray head: `make test-sites`."""

import pytest
from tests.sites.ray_head import SITES

from suanwang.agent.conformance import adapter_cases

pytestmark = SITES


@pytest.mark.parametrize("name", sorted(adapter_cases()))
def test_conformance(name, ray):
    adapter_cases()[name](ray)
