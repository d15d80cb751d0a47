"""Screen real molecules for leads: drug-likeness, alerts and likeness to a known drug, ranked into a CSV.

The library is the first 5,000 entries of the NCI open set that the RDKit package ships; the array index picks
this element's share. The query is methotrexate, an antifolate. Writes out/hits-NNNN.csv, out/best-NNNN.png and out/report-NNNN.json.
"""

import argparse
import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rdkit import Chem, DataStructs, RDConfig, RDLogger
from rdkit.Chem import QED, Crippen, Descriptors, Draw, Lipinski, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

LIBRARY = Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi"
METHOTREXATE = "CN(Cc1cnc2nc(N)nc(N)c2n1)c1ccc(C(=O)NC(CCC(=O)O)C(=O)O)cc1"
FINGERPRINT = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
BEST = 12


class Row(NamedTuple):
    """One molecule with its figures; likeness to the query (`tanimoto`) orders the list."""

    name: str
    smiles: str
    weight_da: float
    log_p: float
    donors: int
    acceptors: int
    tpsa_a2: float
    qed: float
    tanimoto: float


def read_library(path: Path, share: int, shares: int, molecules: int | None = None) -> Iterator[tuple[str, str]]:
    """(SMILES, name) of the lines that fall to this share."""
    for number, line in enumerate(path.read_text().splitlines()[:molecules]):
        words = line.split()
        if words and number % shares == share:
            yield words[0], words[1] if len(words) > 1 else f"line-{number + 1}"


def alerts() -> FilterCatalog:
    """The PAINS substructures: compounds that answer to every assay."""
    wanted = FilterCatalogParams()
    wanted.AddCatalog(FilterCatalogParams.FilterCatalogs.PAINS)
    return FilterCatalog(wanted)


def lipinski_breaks(mol: Chem.Mol) -> int:
    """How many of the rule of five's four lines a molecule crosses."""
    return sum(
        (
            Descriptors.MolWt(mol) > 500,
            Crippen.MolLogP(mol) > 5,
            Lipinski.NumHDonors(mol) > 5,
            Lipinski.NumHAcceptors(mol) > 10,
        )
    )


def refusal(mol: Chem.Mol | None, catalog: FilterCatalog) -> str | None:
    """Why a molecule is out, or None where it goes on."""
    if mol is None:
        return "unreadable"
    if mol.GetNumHeavyAtoms() < 10:
        return "too_small"
    if lipinski_breaks(mol) > 1:
        return "rule_of_five"
    return "pains" if catalog.HasMatch(mol) else None


def measure(mol: Chem.Mol, name: str, tanimoto: float) -> Row:
    """The figures of one molecule."""
    return Row(
        name,
        Chem.MolToSmiles(mol),
        round(Descriptors.MolWt(mol), 2),
        round(Crippen.MolLogP(mol), 3),
        Lipinski.NumHDonors(mol),
        Lipinski.NumHAcceptors(mol),
        round(rdMolDescriptors.CalcTPSA(mol), 2),
        round(QED.qed(mol), 4),
        round(tanimoto, 4),
    )


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def screen(entries: list[tuple[str, str]], query_smiles: str, keep: int) -> tuple[list[Row], Counter[str]]:
    """The `keep` molecules most like the query of those that pass, and how many fell at each filter."""
    asked = Chem.MolFromSmiles(query_smiles)
    if asked is None or not asked.GetNumAtoms():
        raise SystemExit(f"{query_smiles!r} is no molecule; write SMILES, such as CCO")
    catalog, refused = alerts(), Counter[str]()
    passed: dict[str, tuple[float, str, Chem.Mol]] = {}
    query = FINGERPRINT.GetFingerprint(asked)
    for done, (smiles, name) in enumerate(entries, start=1):
        mol = Chem.MolFromSmiles(smiles)
        why = refusal(mol, catalog)
        canonical = Chem.MolToSmiles(mol) if why is None else ""
        if why is None and canonical in passed:
            why = "repeated"
        if why is None:
            likeness = DataStructs.TanimotoSimilarity(FINGERPRINT.GetFingerprint(mol), query)
            passed[canonical] = (likeness, name, mol)
        else:
            refused[why] += 1
        if done % 50 == 0 or done == len(entries):
            tell_progress(1000 * done // len(entries))
    best = sorted(passed.items(), key=lambda item: (-item[1][0], item[0]))[:keep]
    # Drug-likeness costs most, so only what is kept is measured.
    rows = [measure(mol, name, likeness) for _, (likeness, name, mol) in best]
    refused["less_alike"] = len(passed) - len(rows)
    return rows, refused


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Screen one share; returns what is written to its JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=Path, default=LIBRARY, help="SMILES, one molecule a line")
    parser.add_argument("--query", default=METHOTREXATE)
    parser.add_argument(
        "--shares",
        type=int,
        default=int(os.environ.get("SUANWANG_ARRAY_COUNT", "1")),
        help="into how many the library is split",
    )
    parser.add_argument("--molecules", type=int, help="only so many from the head of the library")
    parser.add_argument("--keep", type=int, default=100, help="molecules to list")
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    RDLogger.DisableLog("rdApp.*")
    share = int(os.environ.get("SUANWANG_ARRAY_INDEX", "0"))
    entries = list(read_library(args.library, share, args.shares, args.molecules))
    rows, refused = screen(entries, args.query, args.keep)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / f"hits-{share:04d}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        writer.writerows(rows)
    best = [Chem.MolFromSmiles(row.smiles) for row in rows[:BEST]]
    labels = [f"{row.name}  {row.tanimoto:.2f}" for row in rows[:BEST]]
    Draw.MolsToGridImage(best, molsPerRow=4, subImgSize=(220, 180), legends=labels).save(
        args.out / f"best-{share:04d}.png"
    )
    report: dict[str, object] = {
        "screened": len(entries),
        "refused": dict(sorted(refused.items())),
        "listed": len(rows),
        "best": [{"smiles": row.smiles, "tanimoto": row.tanimoto, "qed": row.qed} for row in rows[:3]],
    }
    (args.out / f"report-{share:04d}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
