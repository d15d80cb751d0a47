"""A topology as GraphML: the Topology Zoo's names for what it has (`label`, `Latitude`, `Longitude`, `LinkSpeedRaw`), names
of our own for the rest, which `load_graphml` reads back. An edge is a cable; its two directions are alike."""

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from suanwang.model.error import Fault, FaultsError
from suanwang.model.topology import TopologyDocument, TopologyLink, TopologyNode

NODE_KEYS = {"label": "string", "Latitude": "double", "Longitude": "double", "SiteId": "string", "Region": "string"}
EDGE_KEYS = {
    "LinkSpeedRaw": "double",
    "LinkId": "string",
    "LatencyUs": "long",
    "IgpWeight": "long",
    "LinkKind": "string",
    "Satellite": "boolean",
    "SharedRiskGroups": "string",
    "Maintenance": "string",
    "LengthKm": "long",
    "PriceMicroYuanPerGbpsHour": "long",
    "PriceMicroYuanPerGib": "long",
}
FAULTS_MAX = 20


def dump_graphml(one: TopologyDocument) -> str:
    """The text. Raises FaultsError for links without a way back or with another one: JSON can say those."""
    cables = _cables(one)
    return "\n".join(_lines(one, cables)) + "\n"


def _cables(one: TopologyDocument) -> list[TopologyLink]:
    """One direction of each cable, the first of the two."""
    by_id = {link.id: link for link in one.links}
    seen: set[str] = set()
    faults: list[Fault] = []
    out: list[TopologyLink] = []
    for at, link in enumerate(one.links):
        if link.id in seen or link.source == link.target:
            continue
        back = by_id.get(link.reverse or "")
        if back is None or _figures(back) != _figures(link):
            faults.append(Fault("export_one_way", f"links[{at}]", link.id))
            continue
        seen.add(back.id)
        out.append(link)
    if faults:
        raise FaultsError(faults[:FAULTS_MAX], one.name)
    return out


def _figures(link: TopologyLink) -> TopologyLink:
    return link.model_copy(update={"id": "", "source": "", "target": "", "reverse": None})


def _lines(one: TopologyDocument, cables: list[TopologyLink]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    for owner, keys in (("node", NODE_KEYS), ("edge", EDGE_KEYS)):
        for name, kind in keys.items():
            yield f'  <key id="{name}" for="{owner}" attr.name="{name}" attr.type="{kind}"/>'
    yield f'  <graph id={quoteattr(one.name)} edgedefault="undirected">'
    for node in one.nodes:
        yield f"    <node id={quoteattr(node.id)}>"
        yield from _data(_node(node))
        yield "    </node>"
    for link in cables:
        yield f"    <edge source={quoteattr(link.source)} target={quoteattr(link.target)}>"
        yield from _data(_edge(link))
        yield "    </edge>"
    yield "  </graph>"
    yield "</graphml>"


def _data(values: dict[str, object]) -> Iterator[str]:
    for name, value in values.items():
        if value is not None and value != "":
            yield f'      <data key="{name}">{escape(str(value))}</data>'


def _node(node: TopologyNode) -> dict[str, object]:
    return {
        "label": node.label or node.id,
        "Latitude": node.latitude,
        "Longitude": node.longitude,
        "SiteId": node.id if node.region is not None else None,
        "Region": node.region,
    }


def _edge(link: TopologyLink) -> dict[str, object]:
    ours = link.kind is not None
    return {
        "LinkSpeedRaw": link.capacity_bps,
        "LinkId": link.id.rpartition(":")[0] if ours else None,
        "LatencyUs": link.latency_us,
        "IgpWeight": link.igp_weight,
        "LinkKind": link.kind,
        "Satellite": str(link.satellite).lower(),
        "SharedRiskGroups": " ".join(link.shared_risk_groups),
        "Maintenance": " ".join(f"{one.start}/{one.end}" for one in link.maintenance),
        "LengthKm": link.length_km,
        "PriceMicroYuanPerGbpsHour": link.price_micro_yuan_per_gbps_hour,
        "PriceMicroYuanPerGib": link.price_micro_yuan_per_gib,
    }
