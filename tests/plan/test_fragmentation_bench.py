"""The experiment on the public trace, on lists made here."""

from pathlib import Path

import numpy as np
import pytest
from bench.planning import openb

from suanwang.plan.kernel.fragmentation import NodePolicy

NODES = "sn,cpu_milli,memory_mib,gpu,model\na,64000,262144,4,T4\nb,32000,131072,2,G2\n"
TASKS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec
p2,4000,8192,1,500,
p1,8000,16384,2,1000,G2|A10
p3,4000,8192,1,500,
p4,2000,1024,0,0,
p5,1000,1024,1,1000,H900
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / openb.NODES).write_text(NODES)
    (tmp_path / f"{openb.PREFIX}tiny.csv").write_text(TASKS)
    return tmp_path


def test_a_list_is_read_in_the_order_of_names_with_models_as_bits(folder: Path) -> None:
    cluster = openb.read_cluster(folder / openb.NODES)
    tasks = openb.read_tasks(folder / f"{openb.PREFIX}tiny.csv", cluster.codes)
    assert tasks.kind.tolist() == [0, 1, 1, 2, 3]
    assert tasks.often == [1, 2, 1, 1]
    g2 = 1 << cluster.codes["G2"]
    assert tasks.needs.mask.tolist() == [g2, -1, -1, 0], "a model that no node has fits nowhere; none named: any"


def test_arrivals_ask_for_130_percent_and_not_a_milli_more(folder: Path) -> None:
    cluster = openb.read_cluster(folder / openb.NODES)
    tasks = openb.read_tasks(folder / f"{openb.PREFIX}tiny.csv", cluster.codes)
    milli = tasks.needs.cards * tasks.needs.milli
    for capacity in (3000, 20_000):  # less and more than the list asks
        kind = openb.arrivals(tasks, capacity, np.random.default_rng(1))
        asked = int(milli[kind].sum())
        assert 13 * capacity // 10 - milli.max() < asked <= 13 * capacity // 10


def test_the_check_sees_what_is_wrong(folder: Path) -> None:
    cluster = openb.read_cluster(folder / openb.NODES)
    tasks = openb.read_tasks(folder / f"{openb.PREFIX}tiny.csv", cluster.codes)
    order = np.array([1, 0])

    def faults(kind: list[int], node: list[int], mask: list[int]) -> int:
        columns = (np.array(kind, np.int32), np.array(node, np.int32), np.array(mask, np.uint8))
        return openb.oversubscribed(cluster, order, tasks.needs, *columns)

    assert faults([0, 1, 1], [0, 1, 1], [0b11, 1, 1]) == 0
    assert faults([1, 1, 1], [1, 1, 1], [1, 1, 1]) == 1  # three halves of a card
    assert faults([1], [0], [0b100]) == 1  # a card that the node does not have
    assert faults([1], [1], [0b11]) == 1  # a card too many
    assert faults([0], [1], [0b11]) == 1  # the wrong model
    assert faults([2] * 33, [1] * 33, [0] * 33) == 1  # processors


def test_a_run_repeats_and_tells_policies_apart(folder: Path) -> None:
    cluster = openb.read_cluster(folder / openb.NODES)
    tasks = openb.read_tasks(folder / f"{openb.PREFIX}tiny.csv", cluster.codes)
    first = openb.run(cluster, tasks, NodePolicy.LEAST_LOSS, 42)
    assert first.percent == openb.run(cluster, tasks, NodePolicy.LEAST_LOSS, 42).percent
    assert 50 < first.percent <= 100
    assert first.oversubscribed == 0


def test_figures_of_the_artefact_are_averaged_over_seeds(folder: Path) -> None:
    rows = "workload,sc_policy,seed,130\nopenb_pod_list_tiny,06-FGD,42,90.0\nopenb_pod_list_tiny,06-FGD,43,91.0\n"
    (folder / openb.REFERENCE).write_text(rows)
    assert openb.published(folder / openb.REFERENCE) == {"tiny": {NodePolicy.GRADIENT: 90.5}}
    assert openb.published(folder / "absent.csv") == {}


def test_absent_data_is_said_clearly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert openb.main(["--data", str(tmp_path)]) == 2
    assert "no openb data" in capsys.readouterr().err


def test_other_lists_need_no_published_figures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert openb.main(["--data", str(folder), "--lists", str(folder), "--seeds", "1"]) == 0
    assert "tiny" in capsys.readouterr().out
