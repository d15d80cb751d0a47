"""Real ids: 48 bits of milliseconds and 80 random bits in Crockford's base 32, so they sort by age and never clash."""

import secrets
from collections.abc import Callable

from suanwang.model.ids import AttemptId, ChargeId, KeyId, LeaseId, PlanId, TaskId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def _base32(value: int) -> str:
    """130 bits as 26 characters, two at a time."""
    return "".join(_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10))


class RealIds:
    """Makers of every id that the brain gives out."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock

    def _next(self, prefix: str) -> str:
        return f"{prefix}-{_base32((self._clock() // 1_000) << 80 | secrets.randbits(80))}"

    def task_id(self) -> TaskId:
        return TaskId(self._next("task"))

    def plan_id(self) -> PlanId:
        return PlanId(self._next("plan"))

    def lease_id(self) -> LeaseId:
        return LeaseId(self._next("lease"))

    def attempt_id(self) -> AttemptId:
        return AttemptId(self._next("att"))

    def charge_id(self) -> ChargeId:
        return ChargeId(self._next("chg"))

    def key_id(self) -> KeyId:
        return KeyId(self._next("key"))

    def what_if_id(self) -> str:
        return self._next("what-if")


def new_secret() -> str:
    """192 random bits, for an API key."""
    return secrets.token_urlsafe(24).replace("_", "-")


def new_seed() -> int:
    """A seed that was not chosen; whoever uses it prints it first."""
    return secrets.randbelow(10**9)
