"""Real ids: 48 bits of milliseconds and 80 random bits in Crockford's base 32, so they sort by age and never clash."""

import secrets
from collections.abc import Callable

from suanwang.model.ids import AttemptId, ChargeId, JoinId, KeyId, LeaseId, PlanId, ReservationId, TaskId, WorkflowId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# A character of each random byte: its five low bits. 80 bits are 16 characters.
_CHARACTER = (_ALPHABET * 8).encode()
_TAIL = 16
_AT_ONCE = 512  # random parts that are drawn together: one call of the system for many ids


def _head(milliseconds: int) -> str:
    """48 bits as ten characters, the first of two bits."""
    return "".join(_ALPHABET[(milliseconds >> shift) & 31] for shift in range(45, -1, -5))


class RealIds:
    """Makers of every id that the brain gives out."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._tails: list[str] = []
        self._last = (-1, "")  # a millisecond and its head, replaced together: threads share this maker

    def _next(self, prefix: str) -> str:
        return f"{prefix}-{self._head_now()}{self._tail()}"

    def _tail(self) -> str:
        try:
            return self._tails.pop()  # no two threads get the same
        except IndexError:
            return self._draw()

    def _head_now(self) -> str:
        now_ms = self._clock() // 1_000
        last_ms, head = self._last
        if now_ms != last_ms:
            head = _head(now_ms)
            self._last = (now_ms, head)
        return head

    def _many(self, prefix: str, count: int) -> list[str]:
        """Ids of one moment, in their order."""
        head = self._head_now()
        return [f"{prefix}-{head}{tail}" for tail in [self._tail() for _ in range(count)]]

    def _draw(self) -> str:
        text = secrets.token_bytes(_TAIL * _AT_ONCE).translate(_CHARACTER).decode()
        tails = [text[at : at + _TAIL] for at in range(0, len(text), _TAIL)]
        last = tails.pop()
        self._tails = tails
        return last

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

    def plan_and_lease_ids(self, count: int) -> list[tuple[PlanId, LeaseId]]:
        """Of `count` plans."""
        both = zip(self._many("plan", count), self._many("lease", count), strict=True)
        return [(PlanId(plan), LeaseId(lease)) for plan, lease in both]

    def charge_ids(self, count: int) -> list[ChargeId]:
        return [ChargeId(one) for one in self._many("chg", count)]

    def key_id(self) -> KeyId:
        return KeyId(self._next("key"))

    def reservation_id(self) -> ReservationId:
        return ReservationId(self._next("resv"))

    def join_id(self) -> JoinId:
        return JoinId(self._next("join"))

    def workflow_id(self) -> WorkflowId:
        return WorkflowId(self._next("flow"))

    def what_if_id(self) -> str:
        return self._next("what-if")


def new_secret() -> str:
    """192 random bits, for an API key."""
    return secrets.token_urlsafe(24).replace("_", "-")


def new_seed_bytes() -> bytes:
    """256 random bits, the seed of a signing key."""
    return secrets.token_bytes(32)


def new_seed() -> int:
    """A seed that was not chosen; whoever uses it prints it first."""
    return secrets.randbelow(10**9)
