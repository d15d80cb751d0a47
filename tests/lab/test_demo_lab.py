"""The demo's chapter over a real lab: what it measures is true, and nothing of it is left, however it ends."""

from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from lab_rig import LAB, own_name, remains
from tests.plan.worlds import grid_of, link_of, site_of

from suanwang.cli.show.demo_lab import LabNarrator
from suanwang.grids import china_path, load_grid
from suanwang.net.topology import topology_of_grid
from suanwang.runtime import lab as labs
from suanwang.runtime.demo_lab import COUNTED, chapter
from suanwang.runtime.settings import Settings

TOOLS = all(which(tool) for tool in ("bwrap", "nft"))
pytestmark = [*LAB, pytest.mark.skipif(not TOOLS, reason="needs bubblewrap and nftables")]


@pytest.fixture
def name() -> Iterator[str]:
    """Of a lab; a small one with the name is left as a killed demo would leave its own."""
    made = own_name("d")
    grid = grid_of([site_of("x"), site_of("y")], [link_of("xy", "x", "y")], origin="x")
    labs.up(topology_of_grid(grid), made)
    yield made
    assert remains(made) == []


def test_packets_are_followed_a_cut_is_repaired_and_a_flood_takes_nothing(name, tmp_path: Path, capsys) -> None:
    found = chapter(load_grid(china_path()), Settings(home=tmp_path), LabNarrator(False), True, name)
    assert found is not None and found.error == ""
    assert len(found.path) >= 3
    assert [hop.site for hop in found.hops] == list(found.path)
    for hops in (found.hops, found.after):
        assert [hop.sent for hop in hops[:-1]] == [COUNTED] * (len(hops) - 1)
        assert hops[-1].taken == COUNTED  # the last segment takes the outer header off
        assert all(hop.taken in (None, COUNTED) for hop in hops)
    cut, flood = found.cut, found.flood
    assert cut is not None and flood is not None
    assert found.path != cut.sites and [hop.site for hop in found.after] == list(cut.sites)
    assert cut.link not in {hop.link.rpartition(":")[0] for hop in found.after}
    assert 0 <= cut.lost_ms < 1_000 and cut.lost_ms < cut.sent
    assert flood.flood_lost_permille > 50  # more came than the link carries
    assert flood.lost <= flood.sent // 100
    out = capsys.readouterr().out
    assert "Real packets over real routers" in out and "The lab is removed." in out


def test_ctrl_c_in_the_middle_leaves_nothing(name, tmp_path: Path) -> None:
    class Interrupted(LabNarrator):
        def planned(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        chapter(load_grid(china_path()), Settings(home=tmp_path), Interrupted(True), True, name)
