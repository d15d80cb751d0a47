"""Every case of the conformance suite that a TES task can be written for, against a real server: a second brain."""

import pytest
from tests.sites.tes_rig import NOT_IN_TES, TesRig
from tests.sites.tes_server import TES

from suanwang.agent.conformance import adapter_cases

pytestmark = TES
CASES = adapter_cases(without=NOT_IN_TES)


@pytest.fixture
def rig(tes_brain, tmp_path):
    made = TesRig(tes_brain, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(CASES))
def test_conformance(name, rig):
    CASES[name](rig)


def test_what_no_tes_task_can_do_is_a_closed_list():
    assert sorted(set(adapter_cases()) - set(CASES)) == ["checkpoint_is_kept_now_and_then", "saved_work_goes_on"]
