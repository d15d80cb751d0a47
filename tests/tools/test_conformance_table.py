"""The table of adapters and cases: made from reports as pytest writes them, and the page of the last run whole."""

import re
from pathlib import Path

import pytest
from tools.conformance import FAILED, NOT_APPLICABLE, NOT_RUN, PASSED, SUITES, Cell, cells, counts, table

from suanwang.agent.conformance import adapter_cases
from tools import conformance

REPORT = b"""<testsuites><testsuite>
<testcase name="test_conformance[local-exit_code]" time="1.5"/>
<testcase name="test_conformance[signal]" time="2"><failure message="assert 1 == 2&#10;more">...</failure></testcase>
<testcase name="test_conformance[wall_time]" time="0"><skipped message="needs root">...</skipped></testcase>
<testcase name="test_every_case_says_what_it_promises" time="0"/>
</testsuite></testsuites>"""


def test_each_case_is_a_cell_whatever_the_report_says():
    found = cells(REPORT, {"saved_work_goes_on": "no checkpoints"})
    assert set(found) == set(adapter_cases())
    assert found["exit_code"] == Cell(PASSED, "", 1.5)
    assert found["signal"] == Cell(FAILED, "assert 1 == 2", 2.0)
    assert found["wall_time"] == Cell(NOT_RUN, "needs root", 0.0)
    assert found["saved_work_goes_on"] == Cell(NOT_APPLICABLE, "no checkpoints")
    assert found["start_to_finish"].word == NOT_RUN


def test_every_reason_stands_below_the_table_once():
    found = cells(REPORT, {"saved_work_goes_on": "no checkpoints"})
    rows = table({"one": found})
    assert len([row for row in rows if row.startswith("| `")]) == len(adapter_cases())
    notes = [row for row in rows if re.match(r"\d+\. ", row)]
    assert len(notes) == len(set(notes)) == 4
    assert counts({"one": found}).startswith("1 passed, 1 failed, 1 n/a")


def test_what_does_not_apply_has_its_reason():
    for suite in SUITES:
        for name, why in conformance.not_applicable(suite.adapter).items():
            assert name in adapter_cases()
            assert why


def test_the_suite_of_an_adapter_is_run_for_real(monkeypatch):
    """The quickest one: a real run of pytest, of the fake adapter's cases."""
    suite = conformance.Suite("fake", "tests/agent/test_conformance.py", lambda: "none", "fake")
    found = conformance.run(suite, build=False)
    assert {cell.word for cell in found.values()} == {PASSED}


@pytest.mark.skipif(not conformance.PAGE.exists(), reason="no full run has been written yet")
def test_the_page_of_the_last_run_has_every_adapter_and_every_case():
    text = Path(conformance.PAGE).read_text("utf-8")
    head = next(line for line in text.splitlines() if line.startswith("| case |"))
    assert [one.strip() for one in head.strip("|").split("|")][1:] == [one.adapter for one in SUITES]
    rows = [line for line in text.splitlines() if line.startswith("| `") and line.count("|") == len(SUITES) + 2]
    assert sorted(row.split("`")[1] for row in rows) == sorted(adapter_cases())
    assert FAILED not in "".join(rows)
