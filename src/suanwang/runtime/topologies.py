"""Topologies from any file that the project reads, as documents, and documents as text."""

import json
from pathlib import Path
from typing import Final

from suanwang.grids import dump_graphml, load_graphml, load_grid
from suanwang.grids.load import read_file
from suanwang.intent.document import parse
from suanwang.intent.read import validate
from suanwang.model.topology import TopologyDocument
from suanwang.net.topology import document_of, document_of_grid, read_graph, topology_of_document

FILE_BYTES_MAX: Final = 64 * 1024**2
MARK: Final = b'"suanwang-topology"'

__all__ = ["document_of_file", "document_of_grid", "written"]


def document_of_file(file: Path, seed: int) -> TopologyDocument:
    """A grid file, GraphML, a REPETITA graph (`.graph`) or an exported JSON. Raises FaultsError with every fault. `seed`
    draws what a GraphML file leaves out."""
    if file.suffix == ".graph":
        raw = read_file(file, FILE_BYTES_MAX)
        return document_of(read_graph(raw.decode("utf-8", "replace"), file.stem, str(file)))
    if file.suffix == ".graphml":
        return document_of_grid(load_graphml(file, seed))
    if file.suffix == ".json":
        raw = read_file(file, FILE_BYTES_MAX)
        if MARK in raw[:200]:
            found = validate(TopologyDocument, parse(raw, str(file), FILE_BYTES_MAX))
            topology_of_document(found, str(file))  # ends that are nodes, names that come once
            return found
    return document_of_grid(load_grid(file))


def written(one: TopologyDocument, form: str) -> str:
    """The text of a document as `graphml` or `json`."""
    if form == "graphml":
        return dump_graphml(one)
    return json.dumps(one.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
