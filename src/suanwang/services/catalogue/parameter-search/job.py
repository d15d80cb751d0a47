"""A share of a random search: settings of a support vector machine, each judged by cross-validation. Writes out/tried.csv."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import SVC


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    element = int(os.environ.get("SUANWANG_ARRAY_INDEX", "0"))
    rng = np.random.default_rng([p.seed, element])
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(p.seed).permutation(len(x))  # the same split for every element
    learn, held = order[: p.images * 3 // 4], order[p.images * 3 // 4 : p.images]
    rows = []
    for number in range(p.settings):
        setting = {"C": float(10 ** rng.uniform(0, 3)), "gamma": float(10 ** rng.uniform(-4.2, -2.6))}
        folds = StratifiedKFold(p.folds, shuffle=True, random_state=p.seed)
        score = cross_val_score(SVC(**setting), x[learn], y[learn], cv=folds).mean()
        rows.append((float(score), setting["C"], setting["gamma"]))
        progress((number + 1) / p.settings)
    rows.sort(reverse=True)
    with (out / "tried.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("score", "C", "gamma"), *rows])
    best, c, gamma = rows[0]
    found = float(SVC(C=c, gamma=gamma).fit(x[learn], y[learn]).score(x[held], y[held]))
    sigma = np.sqrt(max(best * (1 - best), 0.01) / len(held)) + np.sqrt(max(best * (1 - best), 0.01) / len(learn))
    return {
        "element": element,
        "tried": len(rows),
        "best_score": best,
        "best_c": c,
        "best_gamma": gamma,
        "held_score": found,
        "held_within_sigma": abs(found - best) / float(sigma),
    }
