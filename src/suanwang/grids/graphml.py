"""GraphML as the Internet Topology Zoo writes it (topology-zoo.org): real places and links, the rest drawn by seed.

From the file: `label`, `Latitude`, `Longitude` of nodes and `LinkSpeedRaw` (bit/s) of edges. A node without
coordinates stands at the middle of its neighbours. Of a graph in pieces the largest piece is taken. Pools, prices and
data sets are drawn as in `random_grid`. Regions are `XX` (unknown): the Zoo's country names are no ISO codes. What
`graphml_write` adds (ids, latency, weight, risk groups, maintenance, prices) is read back where it is there.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers import expat

from suanwang.grids.generate import (
    FULL,
    ROUTE_FACTOR_PERMILLE,
    SITES_MAX,
    Place,
    Scale,
    data_sets,
    link_between,
    site_at,
)
from suanwang.grids.graphml_fields import region, site_id, with_fields
from suanwang.grids.load import as_path, read_file
from suanwang.grids.parts import price_books, tenants
from suanwang.grids.stream import Stream
from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import Grid, Link, Site, Tier
from suanwang.model.ids import SiteId
from suanwang.model.units import BPS_MAX

GRAPHML_BYTES_MAX = 16 * 1024**2  # the Zoo's largest file has 0.5 MiB
DEPTH_MAX = 32


@dataclass
class _Graph:
    """What is read: each node's and edge's data by attribute name."""

    keys: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    seen_root: bool = False


def load_graphml(path_or_text: "os.PathLike[str] | str | bytes", seed: int = 0, scale: Scale = FULL) -> Grid:
    """The grid of a GraphML file or text; the same for the same file and seed. Raises FaultsError, and nothing else."""
    path = as_path(path_or_text)
    source = str(path) if path is not None else "graphml"
    raw = read_file(path, GRAPHML_BYTES_MAX) if path is not None else path_or_text
    assert isinstance(raw, str | bytes), "what is no path is a text"
    if len(raw) > GRAPHML_BYTES_MAX:
        _refuse("too_large", f"{len(raw)} B", source, limit=f"{GRAPHML_BYTES_MAX // 1024**2} MiB")
    graph = _read(raw, source)
    kept = _largest_piece(graph)
    if len(kept) > SITES_MAX:
        _refuse("graphml_too_many", str(len(kept)), source, limit=SITES_MAX)
    places = _places(graph, kept)
    if len(places) < 2:
        _refuse("graphml_no_nodes", str(len(places)), source)
    return _grid(graph, places, seed, scale, path.stem if path is not None else "graph", source)


def _refuse(code: str, got: str, source: str, line: int | None = None, **params: Any) -> NoReturn:
    raise FaultsError([Fault(code, "", got[:120], line, params)], source)


def _read(raw: str | bytes, source: str) -> _Graph:
    """Parse with expat, no document type, no entities, bounded depth."""
    graph = _Graph()
    stack: list[tuple[str, dict[str, str]]] = []
    text: list[str] = []
    parser = expat.ParserCreate()

    def start(name: str, attributes: Mapping[str, str]) -> None:
        tag = name.rpartition(":")[2]
        stack.append((tag, dict(attributes)))
        text.clear()
        if len(stack) > DEPTH_MAX:
            _refuse("too_deep", "", source, parser.CurrentLineNumber, limit=DEPTH_MAX)
        _open(graph, tag, attributes, top=len(stack) == 1)

    def end(_: str) -> None:
        tag, attributes = stack.pop()
        if tag == "data" and stack:
            _keep(graph, stack[-1][0], stack[-1][1], attributes.get("key", ""), "".join(text).strip())

    def doctype(*_: Any) -> None:
        _refuse("graphml_entity", "<!DOCTYPE", source, parser.CurrentLineNumber)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text.append, doctype
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        _refuse("graphml_syntax", str(expat.errors.messages.get(error.code, error.code)), source, error.lineno)
    except (UnicodeError, ValueError, LookupError):  # LookupError: an encoding that Python does not know
        _refuse("not_utf8", "", source)
    if not graph.seen_root:
        _refuse("graphml_syntax", "no <graphml>", source)
    return graph


def _open(graph: _Graph, tag: str, attributes: Mapping[str, str], top: bool) -> None:
    if top and tag == "graphml":
        graph.seen_root = True
    elif tag == "key":
        graph.keys[attributes.get("id", "")] = attributes.get("attr.name", "")
    elif tag == "node":
        graph.nodes.setdefault(attributes.get("id", ""), {})
    elif tag == "edge":
        graph.edges.append((attributes.get("source", ""), attributes.get("target", ""), {}))


def _keep(graph: _Graph, owner: str, attributes: Mapping[str, str], key: str, value: str) -> None:
    name = graph.keys.get(key, key)
    if owner == "node":
        graph.nodes[attributes.get("id", "")][name] = value
    elif owner == "edge" and graph.edges:
        graph.edges[-1][2][name] = value


def _neighbours(graph: _Graph) -> dict[str, list[str]]:
    """Each node's neighbours, in file order."""
    near: dict[str, list[str]] = {one: [] for one in graph.nodes}
    for a, b, _ in graph.edges:
        if a in near and b in near and a != b:
            near[a].append(b)
            near[b].append(a)
    return near


def _largest_piece(graph: _Graph) -> list[str]:
    """The node ids of the largest connected piece, in file order; of equals the first."""
    near = _neighbours(graph)
    best: set[str] = set()
    seen: set[str] = set()
    for start in graph.nodes:
        if start in seen:
            continue
        piece, edge = {start}, [start]
        while edge:
            fresh = {one for one in near[edge.pop()] if one not in piece}
            piece |= fresh
            edge += sorted(fresh)
        seen |= piece
        best = piece if len(piece) > len(best) else best
    return [one for one in graph.nodes if one in best]


def _number(text: str | None, least: float, most: float) -> float | None:
    """A finite number within bounds; an attribute that is none counts as absent, as many in the Zoo are."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and least <= value <= most else None


def _places(graph: _Graph, kept: list[str]) -> dict[str, Place]:
    """Each node's place; empty where no node has coordinates."""
    points: dict[str, tuple[float, float]] = {}
    for node in kept:
        latitude = _number(graph.nodes[node].get("Latitude"), -90, 90)
        longitude = _number(graph.nodes[node].get("Longitude"), -180, 180)
        if latitude is not None and longitude is not None:
            points[node] = (latitude, longitude)
    if not points:
        return {}
    known, neighbours = dict(points), _neighbours(graph)
    middle = _middle(list(known.values()))
    for node in kept:
        if node not in points:
            near = [known[one] for one in neighbours[node] if one in known]
            points[node] = _middle(near) if near else middle
    return {
        node: Place(
            SiteId(site_id(graph.nodes[node]) or f"n{at}-{_slug(graph.nodes[node].get('label', ''))}".rstrip("-")),
            (graph.nodes[node].get("label") or f"Node {at}")[:120],
            round(points[node][0], 4),
            round(points[node][1], 4),
            region(graph.nodes[node]) or "XX",
        )
        for at, node in enumerate(kept)
    }


def _middle(points: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(one[0] for one in points) / len(points), sum(one[1] for one in points) / len(points)


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower())[:32].strip("-")


def _tiers(graph: _Graph, places: Mapping[str, Place]) -> dict[str, Tier]:
    """The best connected are hubs (one in twelve) and provincial sites (one in four), the rest edges."""
    degree = dict.fromkeys(places, 0)
    for a, b, _ in graph.edges:
        if a in degree and b in degree and a != b:
            degree[a] += 1
            degree[b] += 1
    order = sorted(places, key=lambda one: -degree[one])
    hubs, provincial = max(1, len(order) // 12), max(1, len(order) // 4)
    tiers = dict.fromkeys(order[:hubs], Tier.HUB) | dict.fromkeys(order[hubs : hubs + provincial], Tier.PROVINCIAL)
    return {one: tiers.get(one, Tier.EDGE) for one in places}


def _grid(graph: _Graph, places: Mapping[str, Place], seed: int, scale: Scale, name: str, source: str) -> Grid:
    tiers = _tiers(graph, places)
    order = sorted(places, key=lambda one: list(Tier).index(tiers[one]))  # site 0 is a hub, as in random_grid
    sites = {node: site_at(places[node], at, tiers[node], seed, scale) for at, node in enumerate(order)}
    made = list(sites.values())
    return Grid(
        id=_slug(name) or "graph",
        name=name[:120] or "graph",
        route_factor_permille=ROUTE_FACTOR_PERMILLE,
        default_origin=made[0].id,
        price_books=price_books(),
        tenants=tenants(),
        sites=tuple(made),
        links=tuple(_links(graph, sites, seed, scale, source)),
        data_sets=tuple(data_sets(made, seed, scale)),
    )


def _links(graph: _Graph, sites: Mapping[str, Site], seed: int, scale: Scale, source: str) -> Iterator[Link]:
    draw = Stream(seed, "link")
    at = 0
    for a, b, data in graph.edges:
        if a in sites and b in sites and a != b:
            link = link_between(at, sites[a], sites[b], draw, scale)
            speed_bps = _number(data.get("LinkSpeedRaw"), 1, BPS_MAX)
            link = link if speed_bps is None else link.model_copy(update={"capacity_bps": int(speed_bps)})
            yield with_fields(link, data, source)
            at += 1
