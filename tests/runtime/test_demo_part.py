"""The part of a grid that the demo's lab is made of, what is said where there can be no lab, and a chapter that breaks off."""

import os
import shutil
import socket

import pytest

from suanwang.cli.show.demo_lab import LabNarrator
from suanwang.grids import SMALL, china_path, dump_grid, load_grid, random_grid
from suanwang.lab.layout import NODES_MAX
from suanwang.model.error import ConflictError, NotAllowedError, UnreachableError
from suanwang.model.grid import Tier
from suanwang.runtime import demo_lab
from suanwang.runtime.demo_lab import FAST_SITES, KM_MAX, chapter, pairs, part_of
from suanwang.runtime.settings import Settings
from suanwang.texts import LANGUAGES, text


@pytest.fixture(scope="module")
def china():
    return load_grid(china_path())


@pytest.mark.parametrize(
    ("most", "tiers"),
    [
        (FAST_SITES, {Tier.HUB, Tier.WESTERN}),
        (NODES_MAX, {Tier.HUB, Tier.WESTERN, Tier.PROVINCIAL}),
    ],
)
def test_whole_tiers_that_fit_are_taken_and_make_a_grid(china, tmp_path, most, tiers):
    part = part_of(china, most)
    assert {site.tier for site in part.sites} == tiers
    assert len(part.sites) == sum(site.tier in tiers for site in china.sites) <= most
    here = {site.id for site in part.sites}
    assert part.links == tuple(one for one in china.links if {one.a, one.b} <= here)
    assert all(set(one.replicas) <= here and one.replicas for one in part.data_sets)
    assert part.default_origin in here
    file = tmp_path / "part.yaml"
    file.write_text(dump_grid(part), "utf-8")
    assert load_grid(file) == part


def test_a_grid_that_fits_is_taken_as_it_is():
    grid = random_grid(12, 5, SMALL)
    assert part_of(grid, NODES_MAX) is grid


def test_pairs_are_far_apart_and_the_second_can_run_a_task(china):
    found = pairs(part_of(china, NODES_MAX))
    assert 0 < len(found) <= demo_lab.PAIRS_TRIED
    assert all(a.id != b.id and any(pool.kind == "general" for pool in b.pools) for a, b in found)
    assert found == pairs(part_of(china, NODES_MAX))
    assert (
        demo_lab.great_circle_km(
            found[0][0].latitude, found[0][0].longitude, found[0][1].latitude, found[0][1].longitude
        )
        > KM_MAX / 2
    )


def lines(capsys) -> str:
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_root_one_line_says_so_and_nothing_is_made(china, capsys, monkeypatch, tmp_path, lang):
    monkeypatch.setattr("suanwang.cli.words.LANG", lang)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert chapter(china, Settings(home=tmp_path), LabNarrator(False), True, "nolab") is None
    out = lines(capsys)
    why = text(f"error.{NotAllowedError('lab_root').code}", lang)
    assert out == " ".join(text("cli.demo.lab.missing", lang, why=why).split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tool", ["nft", "bwrap"])
def test_a_program_that_is_missing_is_named(china, capsys, monkeypatch, tmp_path, tool):
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(demo_lab, "require_root", lambda: None)
    there = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == tool else there(name) or f"/bin/{name}")
    assert chapter(china, Settings(home=tmp_path), LabNarrator(False), True, "nolab") is None
    assert f"`{tool}`" in lines(capsys)


def test_another_demos_lab_is_left_alone(china, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(demo_lab, "require_root", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(demo_lab.lab, "down", lambda name: pytest.fail("it is another one's"))
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("\0suanwang-lab-taken")
        assert chapter(china, Settings(home=tmp_path), LabNarrator(False), True, "taken") is None
    assert "taken" in lines(capsys)


@pytest.mark.parametrize(
    "error",
    [ConflictError("demo_lab_task", phase="failed"), UnreachableError("demo_lab_late", seconds=60)],
)
def test_what_ended_the_chapter_early_is_said(capsys, error):
    LabNarrator(False).broke_off(error)
    assert text(f"error.{error.code}", **error.params).split()[-1] in lines(capsys)
