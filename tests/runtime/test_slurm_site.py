"""The operator's file of the Slurm adapter: what it may say, and every fault that it can have, with its line."""

import os
import pwd
from pathlib import Path

import pytest
from tests.plan.worlds import general, grid_of, site_of

from suanwang.agent.adapter import Limit
from suanwang.model.error import FaultsError
from suanwang.model.grid import Pool, PoolKind
from suanwang.runtime import agent_main, slurm_site
from suanwang.runtime.adapters import adapter_faults
from suanwang.runtime.settings import Settings
from suanwang.runtime.slurm_site import read_slurm_file
from suanwang.texts import languages, text

CARDS = Pool(
    id="c/cards",
    kind=PoolKind.AI,
    nodes=1,
    cores_per_node=8,
    memory_bytes_per_node=2**31,
    accelerator_model="a100",
    accelerators_per_node=2,
)
QUANTUM = Pool(id="c/q", kind=PoolKind.QUANTUM, nodes=1, qubits_per_node=5)
GRID = grid_of([site_of("c", [general("c"), CARDS, QUANTUM]), site_of("other", [general("other")])], [])
GOOD = """
user: daemon
folder: /shared/suanwang
path: [/opt/python/bin]
enforces: [disk]
pools:
  c/general: {partition: batch, account: grid, qos: normal, options: ["--constraint=fast"]}
  c/cards: {partition: gpu, gres: "gpu:a100"}
"""


def read(folder: Path, body: str):
    file = folder / "slurm.yaml"
    file.write_text(body)
    return read_slurm_file(Settings(home=folder, slurm_file=str(file)), GRID, ("c",))


def faults(folder: Path, body: str) -> list[tuple[str, str, int | None]]:
    with pytest.raises(FaultsError) as error:
        read(folder, body)
    for fault in error.value.faults:
        for lang in languages():
            said = text(f"fault.{fault.code}", lang, where=fault.where, got=fault.got, **fault.params)
            assert "{" not in said
            assert said != f"fault.{fault.code}"
    return [(one.code, one.where, one.line) for one in error.value.faults]


@pytest.fixture(autouse=True)
def as_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_a_good_file(tmp_path):
    file = read(tmp_path, GOOD)
    assert file.enforces == (Limit.DISK,)
    assert file.pools["c/general"].options == ("--constraint=fast",)
    assert file.pools["c/cards"].gres == "gpu:a100"


def test_every_misfit_is_said_at_once_with_its_line(tmp_path):
    body = """
user: daemon
pools:
  c/cards: {partition: gpu}
  c/none: {partition: x}
  other/general:
    options: ["--time=3", "--output=/etc/x", "--comment=fine"]
"""
    assert faults(tmp_path, body) == [
        ("slurm_pool_missing", "pools", 3),
        ("slurm_gres_missing", "pools.c/cards", 4),
        ("slurm_pool_unknown", "pools.c/none", 5),
        ("slurm_pool_unknown", "pools.other/general", 6),
        ("slurm_option_taken", "pools.other/general.options[0]", 7),
        ("slurm_option_taken", "pools.other/general.options[1]", 7),
    ]


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("pools: {}", "pools"),
        ("pools: {c/general: {partition: 'a b'}}", "pools.c/general.partition"),
        ("pools: {c/general: {gres: 'gpu:a100:4'}}", "pools.c/general.gres"),
        ("pools: {c/general: {options: ['-p x']}}", "pools.c/general.options[0]"),
        ("pools: {c/general: {}}\nfolder: here", "folder"),
        ("pools: {c/general: {}}\nenforces: [magic]", "enforces[0]"),
        ("pools: {c/general: {}}\nusers: x", "users"),
    ],
)
def test_forms(tmp_path, line, where):
    found = faults(tmp_path, f"user: daemon\n{line}\n")
    assert where in [one[1] for one in found]


@pytest.mark.parametrize(
    ("user", "code"),
    [("", "slurm_user_needed"), ("user: nosuchuser", "slurm_user_unknown"), ("user: root", "slurm_user_wrong")],
)
def test_root_runs_no_work(tmp_path, user, code):
    assert code in [one[0] for one in faults(tmp_path, GOOD.replace("user: daemon", user))]


def test_who_is_not_root_runs_work_as_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("bin").pw_uid)
    assert [one[0] for one in faults(tmp_path, GOOD)] == ["slurm_user_wrong"]
    assert slurm_site._user("daemon") is None
    assert read(tmp_path, GOOD.replace("user: daemon", "")).user is None


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FaultsError) as error:
        read_slurm_file(Settings(home=tmp_path), GRID, ("c",))
    assert error.value.faults[0].code == "slurm_file_needed"
    with pytest.raises(FaultsError) as error:
        read_slurm_file(Settings(home=tmp_path, slurm_file=str(tmp_path / "none")), GRID, ("c",))
    assert error.value.faults[0].code == "slurm_file_unread"


def test_an_unknown_adapter_is_one_clear_fault(tmp_path):
    settings = Settings(home=tmp_path, url="http://x", key="k", adapter="slrum")
    with pytest.raises(FaultsError) as error:
        agent_main.run(settings, None, ("c",))
    (fault,) = error.value.faults
    assert (fault.code, fault.got, fault.params) == (
        "adapter_unknown",
        "slrum",
        {"known": "local, slurm, kubernetes, quantum, tes, ray"},
    )
    (fault,) = adapter_faults(Settings(home=tmp_path, adapter="slurm", lab="lab"))
    assert fault.code == "adapter_lab"
    assert adapter_faults(Settings(home=tmp_path, lab="lab")) == []
