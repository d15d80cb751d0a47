"""Conformers by ETKDG, relaxed by MMFF94, clustered by their distance (Butina). Writes out/shapes.sdf, lowest energy first."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem, rdMolAlign
from rdkit.ML.Cluster import Butina


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    RDLogger.DisableLog("rdApp.*")
    flat = Chem.MolFromSmiles(p.smiles)
    if flat is None:
        raise SystemExit(f"{p.smiles!r} is no molecule; write SMILES, such as CCO")
    mol = Chem.AddHs(flat)
    ids = list(AllChem.EmbedMultipleConfs(mol, p.shapes, randomSeed=p.seed + 1))
    if not ids:
        raise SystemExit(f"no shape of {p.smiles!r} could be made")
    progress(0.4)
    field = AllChem.MMFFGetMoleculeProperties(mol)
    if field is None:
        raise SystemExit(f"the force field does not know every atom of {p.smiles!r}")
    rows, rose, force = [], 0, 0.0
    for at, one in enumerate(ids):
        forces = AllChem.MMFFGetMoleculeForceField(mol, field, confId=one)
        before = forces.CalcEnergy()
        for _ in range(10):
            if forces.Minimize(maxIts=2000) == 0:
                break
        after = forces.CalcEnergy()
        rose += after > before + 1e-6
        force = max(force, float(np.abs(np.array(forces.CalcGrad())).max()))
        rows.append((after, one))
        progress(0.4 + 0.5 * (at + 1) / len(ids))
    rows.sort()
    heavy = Chem.RemoveHs(mol)
    order = [one for _, one in rows]
    gaps = [rdMolAlign.GetBestRMS(heavy, heavy, order[a], order[b]) for a in range(len(order)) for b in range(a)]
    groups = Butina.ClusterData(gaps, len(order), p.apart, isDistData=True, reordering=True)
    best = sorted(min(group) for group in groups)
    with Chem.SDWriter(str(out / "shapes.sdf")) as file:
        for at in best:
            mol.SetProp("energy_kcal_mol", f"{rows[at][0]:.4f}")
            file.write(mol, confId=order[at])
    read = [Chem.RemoveHs(one) for one in Chem.SDMolSupplier(str(out / "shapes.sdf"))]
    asked = Chem.MolToSmiles(flat)
    return {
        "atoms": mol.GetNumAtoms(),
        "made": len(ids),
        "clusters": len(groups),
        "energy_best_kcal_mol": rows[0][0],
        "energy_spread_kcal_mol": rows[-1][0] - rows[0][0],
        "energy_rose": int(rose),
        "gradient_kcal_mol_a": force,
        "same_molecule": all(Chem.MolToSmiles(one, isomericSmiles=False) == asked for one in read),
    }
