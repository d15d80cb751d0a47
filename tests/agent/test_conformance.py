"""Every case of the conformance suite on every adapter that ships."""

import pytest
from tests.agent.rigs import SANDBOX, FakeRig, LocalRig

from suanwang.agent.conformance import adapter_cases


@pytest.fixture(params=[FakeRig, pytest.param(LocalRig, marks=SANDBOX)], ids=["fake", "local"])
def rig(request, tmp_path):
    made = request.param(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(adapter_cases()))
def test_conformance(name, rig):
    adapter_cases()[name](rig)


def test_every_case_says_what_it_promises():
    assert len(adapter_cases()) >= 20
    assert [name for name, case in adapter_cases().items() if not case.__doc__] == []
