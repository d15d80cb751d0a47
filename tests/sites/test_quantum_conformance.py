"""Every case of the conformance suite that a circuit can be written for, on the real simulator."""

import pytest
from tests.sites.quantum_rig import KINDS_THAT_NO_CIRCUIT_IS, QUANTUM

from suanwang.agent.conformance import adapter_cases

pytestmark = QUANTUM
CASES = adapter_cases(without=KINDS_THAT_NO_CIRCUIT_IS)


@pytest.fixture
def rig(quantum):
    quantum.clean()
    yield quantum
    quantum.clean()


@pytest.mark.parametrize("name", sorted(CASES))
def test_conformance(name, rig):
    CASES[name](rig)


def test_what_no_circuit_can_do_is_a_closed_list():
    """A circuit has no exit code of its own, sends itself no signal and writes no checkpoint."""
    assert sorted(set(adapter_cases()) - set(CASES)) == [
        "checkpoint_is_kept_now_and_then",
        "exit_code",
        "saved_work_goes_on",
        "signal",
    ]
