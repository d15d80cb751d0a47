"""A day of a store, played again."""

import pytest
from blake3 import blake3
from days import GRID, both, case

from suanwang.model.change import Changes
from suanwang.model.error import FaultsError
from suanwang.model.record import GridAdopted, Phase, SiteChanged
from suanwang.model.trace import Run
from suanwang.model.units import US_PER_DAY
from suanwang.model.what_if_ask import WhatIfAsk
from suanwang.runtime.what_if import day_start_us, log_of, prepare
from suanwang.store import Store
from suanwang.traces.rules import NO_DATE_US
from suanwang.twin.day import Day
from suanwang.whatif import Case, play
from suanwang.whatif.history import read_history


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A store in which the twin has lived a dense day with failures, and what tenants were billed."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}"
    one = case(60)
    arrivals = tuple(
        arrival.__class__(
            arrival.key,
            arrival.at_us,
            arrival.tenant,
            arrival.request.model_copy(update={"retries": 2}),
            (Run(arrival.runs[0].span_us // 2, "exit:3"), Run(arrival.runs[0].span_us))
            if at % 7 == 0
            else arrival.runs,
        )
        for at, arrival in enumerate(one.arrivals)
    )
    with Store(url) as store:
        text = GRID.model_dump_json()
        adopted = GridAdopted(at_us=NO_DATE_US, grid_id=GRID.id, digest=blake3(text.encode()).hexdigest(), text=text)
        store.append([adopted], NO_DATE_US)
        day = Day(GRID, one.seed, one.tenants, arrivals, store.append)
        state = day.run()
        billed = {tenant: load.billed_micro_yuan for tenant, load in state.loads.items() if load.billed_micro_yuan}
        assert state.ended[Phase.SUCCEEDED] > 20
    return url, billed


def test_a_replay_reproduces_the_bill_of_every_tenant(lived):
    url, billed = lived
    past = read_history(log_of(url)(), NO_DATE_US, NO_DATE_US + US_PER_DAY, "day")
    assert past.grid == GRID
    played = play(Case(past.grid, past.tenants, past.trace.arrivals, 3))
    assert {tenant: cost for tenant, cost in played.measure.cost_by_tenant.items() if cost} == billed


def test_a_what_if_of_a_history_names_its_day(lived):
    url, billed = lived
    ask = WhatIfAsk.model_validate({"day": {"history": "2026-01-01"}})
    prepared = prepare(ask, 3, None, (), log_of(url))
    found = both(prepared.case, Changes())
    assert found.before.cost_by_tenant == billed
    assert prepared.source == "2026-01-01"


def test_another_day_has_no_task(lived):
    with pytest.raises(FaultsError) as caught:
        prepare(WhatIfAsk.model_validate({"day": {"history": "2026-02-01"}}), 3, None, (), log_of(lived[0]))
    assert [fault.code for fault in caught.value.faults] == ["trace_empty"]


def test_before_the_store_began_there_is_no_grid(lived):
    with pytest.raises(FaultsError) as caught:
        prepare(WhatIfAsk.model_validate({"day": {"history": "2025-02-01"}}), 3, None, (), log_of(lived[0]))
    assert [fault.code for fault in caught.value.faults] == ["history_no_grid"]


def test_what_was_under_way_at_midnight_is_carried_over(lived):
    url, _ = lived
    middle_us = NO_DATE_US + 3_600_000_000
    past = read_history(log_of(url)(), middle_us, middle_us + US_PER_DAY, "day")
    notes = {note.code: note.params["count"] for note in past.trace.notes}
    assert notes["history_carried"] > 0
    assert min(arrival.at_us for arrival in past.trace.arrivals) == middle_us
    whole = read_history(log_of(url)(), NO_DATE_US, NO_DATE_US + US_PER_DAY, "day")
    runs = {arrival.key: sum(run.span_us for run in arrival.runs) for arrival in whole.trace.arrivals}
    for arrival in past.trace.arrivals:
        assert sum(run.span_us for run in arrival.runs) <= runs[arrival.key]


def test_failed_attempts_are_played_as_they_went(lived):
    past = read_history(log_of(lived[0])(), NO_DATE_US, NO_DATE_US + US_PER_DAY, "day")
    assert any([run.outcome for run in arrival.runs] == ["exit:3", "ok"] for arrival in past.trace.arrivals)


@pytest.mark.parametrize("word", ["2026-13-01", "2026-02-30"])
def test_no_such_day(word):
    with pytest.raises(FaultsError) as caught:
        day_start_us(word)
    assert caught.value.faults[0].code == "day_form"


def test_tenants_come_from_the_log(lived):
    past = read_history(log_of(lived[0])(), NO_DATE_US, NO_DATE_US + US_PER_DAY, "day")
    assert {tenant.id for tenant in past.tenants} == {tenant.id for tenant in case(60).tenants}


def test_a_site_that_no_agent_worked_for_offers_nothing(lived):
    url, _ = lived
    site = next(one.id for one in GRID.sites if one.pools)

    def log():
        for batch in log_of(url)():
            yield [record for record in batch if not (isinstance(record, SiteChanged) and record.site == site)]

    ask = WhatIfAsk.model_validate({"day": {"history": "2026-01-01"}})
    prepared = prepare(ask, 3, None, (), log)
    assert [one.id for one in GRID.sites if one.pools and not _pools(prepared.case.grid, one.id)] == [site]
    assert {note.code: note.params for note in prepared.trace.notes}["history_absent"] == {"count": 1}
    whole = prepare(ask, 3, None, (), log_of(url))
    assert "history_absent" not in {note.code for note in whole.trace.notes}


def _pools(grid, site):
    return next(one.pools for one in grid.sites if one.id == site)
