"""The fold of joining: who asked to bring a site into the grid, and what became of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from suanwang.model.ids import KeyId
from suanwang.model.joining import JoinState, JoinView, corrected, grown
from suanwang.model.record import ResultCompared, SiteAsked, SiteChecked, SiteJoined, SiteRefused
from suanwang.model.snapshot import index_grid

if TYPE_CHECKING:
    from suanwang.observe.state import State


@dataclass
class Join:
    """A request: the token that made it, and how it stands. `in_file`: the grid file has the site by now, and says what it is
    and what it costs."""

    token: KeyId
    view: JoinView
    in_file: bool = False


def _asked(state: "State", record: SiteAsked) -> None:
    assert record.join_id not in state.joins, "a request is made once"
    view = JoinView(
        join_id=record.join_id,
        state=JoinState.WAITING,
        asked_us=record.at_us,
        ask=record.ask,
        proposed=record.proposed,
    )
    state.joins[record.join_id] = Join(record.token, view)


def _joined(state: "State", record: SiteJoined) -> None:
    _decide(state, record, JoinState.APPROVED, proposed=record.joining, key_id=record.key_id)
    state.version += 1
    grid = grown(state.index.grid, record.joining)
    if grid is state.index.grid:
        state.joins[record.join_id].in_file = True
    else:
        state.index = index_grid(grid)


def _refused(state: "State", record: SiteRefused) -> None:
    _decide(state, record, JoinState.REFUSED, why=record.why)


def _checked(state: "State", record: SiteChecked) -> None:
    one = state.joins[record.join_id]
    before = one.view.trust.price_permille if one.view.trust is not None else 1_000
    one.view = one.view.model_copy(update={"trust": record.trust})
    if record.trust.price_permille != before and not one.in_file:
        state.version += 1
        state.index = index_grid(corrected(state.index.grid, one.view.proposed, before, record.trust.price_permille))


def _compared(state: "State", record: ResultCompared) -> None:
    one = state.joins[record.join_id]
    state.compared.add(record.second)
    counts = {"compared": one.view.compared + 1, "differing": one.view.differing + int(not record.same)}
    one.view = one.view.model_copy(update=counts)


def _decide(state: "State", record: SiteJoined | SiteRefused, to: JoinState, **more: Any) -> None:
    one = state.joins[record.join_id]
    assert one.view.state is JoinState.WAITING, "a request is decided once"
    decided = {"state": to, "decided_us": record.at_us, "decided_by": record.principal, **more}
    one.view = one.view.model_copy(update=decided)


JOINS: Final[Mapping[type, Callable[["State", Any], None]]] = {
    SiteAsked: _asked,
    SiteJoined: _joined,
    SiteRefused: _refused,
    SiteChecked: _checked,
    ResultCompared: _compared,
}
