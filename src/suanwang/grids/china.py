"""The reference grid `grids/china-4n31x.yaml`, made from `grids/source/*.csv`: `python -m suanwang.grids.china`."""

import sys
from pathlib import Path

from suanwang.grids.china_links import ROUTE_FACTOR_PERMILLE, links
from suanwang.grids.china_pools import price_books
from suanwang.grids.china_sites import sites
from suanwang.grids.china_tables import source_folder, table
from suanwang.grids.dump import dump_grid
from suanwang.grids.load import CHINA
from suanwang.grids.parts import tenants
from suanwang.model.grid import DataSet, Grid, GridNotes
from suanwang.model.ids import DataSetId, SiteId, TenantId
from suanwang.model.units import GIB, KIB

HEADER = """\
# The reference grid of Suanwang: the "4+N+31+X" layout of a national computing force network.
# Made by `python -m suanwang.grids.china` from grids/source/*.csv; edit those, not this file.
#
# PUBLIC FACT is what `notes.facts` below says, and no more. Every other figure is a REFERENCE ASSUMPTION:
# chosen to be plausible and to add up, not measured, and no statement about any real operator, site or price.
"""

FACTS = (
    "The layout is 4+N+31+X: four hub clusters (Beijing-Tianjin-Hebei, Yangtze Delta, Greater Bay Area,"
    " Chengdu-Chongqing), N western hubs (here Horinger, Zhongwei, Qingyang, Gui'an), 31 provincial sites, X edges.",
    "924,000 own servers give 8 EFLOPS of general compute.",
    "There are 11 regional AI centres, one of them the largest single one.",
    "Third parties that have joined bring 3.3 EFLOPS, of all four kinds.",
    "An OTN backbone of 200G and 400G waves reaches 86 % of hub and provincial sites.",
    "The latency circles are 20 ms national, 5 ms provincial, 1 ms metro; light in fibre takes 5 us per km.",
    "Names and coordinates of prefectures are those of the map data of echarts 4.9.0 (Apache-2.0).",
)

ASSUMPTIONS = (
    "The public figures do not give a precision: here the 8 EFLOPS are fp32 peak, summed over own general and hpc"
    " pools, and the servers counted are the nodes of the same pools. AI nodes are counted apart.",
    "The 3.3 EFLOPS of third parties are fp32 peak of general and hpc pools plus fp16 peak (dense) of AI pools;"
    " quantum processors have no FLOPS.",
    "AI centres: which sites have one, their cards (88,000, of which 20,000 at Horinger, the largest) and their"
    " fp16 peak of 28.16 EFLOPS.",
    "A hub cluster is one site at a point of its region; a provincial site stands 0.1 degrees from its capital's"
    " centre; a metro edge stands at its prefecture's centre. Hong Kong, Macau and Taiwan are on the map but have no"
    " site here: the 31 are the provinces, regions and municipalities of the mainland.",
    "How nodes are shared out among sites, their shapes and power; cards at the edges of the largest cities.",
    "Fibre is 1.4 times as long as the great circle. Equipment adds nothing to the 5 us per km.",
    "Which sites the waves connect, how many, and their conduits. 30 of the 35 hub and provincial sites are on OTN"
    " (85.7 %, 86 % rounded), the rest by IP. The four western hubs are on OTN too and not in that count.",
    "Capacities of access, protection, storage and satellite links; every price; hours and factors of time of use.",
    "Carbon and renewable shares by province, of the right order but of no one year; PUE by tier.",
    "Third parties, tenants and data sets are invented. Data sets show a task a few KiB made from a seed.",
)


def china_grid() -> Grid:
    """The whole grid; the same on every machine."""
    every = sites()
    return Grid(
        id="china-4n31x",
        name="China 4+N+31+X reference grid",
        version=1,
        route_factor_permille=ROUTE_FACTOR_PERMILLE,
        default_origin=SiteId("prov-bj"),
        notes=GridNotes(facts=FACTS, assumptions=ASSUMPTIONS),
        price_books=price_books(),
        tenants=tenants(),
        sites=tuple(every),
        links=tuple(links(every)),
        data_sets=tuple(_data_sets()),
    )


def _data_sets() -> list[DataSet]:
    return [
        DataSet(
            id=DataSetId(row["id"]),
            name=row["name"],
            size_bytes=int(row["gib"]) * GIB,
            version=int(row["version"]),
            replicas=tuple(SiteId(one) for one in row["replicas"].split()),
            residency=tuple(row["residency"].split()),
            tenant=TenantId(row["tenant"]) if row["tenant"] else None,
            content_seed=at,
            content_bytes=int(row["content_kib"]) * KIB,
        )
        for at, row in enumerate(table("data-sets"), start=1)
    ]


def china_text() -> str:
    """The text of the grid file."""
    return HEADER + dump_grid(china_grid())


def main(path: Path | None = None) -> None:
    """Write the grid file, beside its sources unless told otherwise."""
    target = path or source_folder().parent / CHINA
    target.write_text(china_text(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
