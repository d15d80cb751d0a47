"""Choose, train and judge a classifier of hand-written digits (the 1,797 images that scikit-learn ships).

A support vector machine is tuned by cross-validation on the training part alone; the test part is read once.
Writes out/model.joblib, out/metrics.json and out/confused.png (the test digits that it got wrong).
"""

import argparse
import json
import os
from pathlib import Path

import joblib
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

GRID = [(c, gamma) for c in (1.0, 10.0) for gamma in (0.003, 0.01, 0.03)]


def classifier(c: float, gamma: float) -> Pipeline:
    """Scale each pixel, then a kernel machine."""
    return make_pipeline(StandardScaler(), SVC(C=c, gamma=gamma))


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def tune(x: np.ndarray, y: np.ndarray, folds: int, seed: int) -> tuple[tuple[float, float], np.ndarray]:
    """The best (C, gamma) and its accuracy on each fold."""
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    best, best_scores = GRID[0], np.zeros(folds)
    for number, (c, gamma) in enumerate(GRID, start=1):
        scores = cross_val_score(classifier(c, gamma), x, y, cv=splits)
        if scores.mean() > best_scores.mean():
            best, best_scores = (c, gamma), scores
        tell_progress(900 * number // len(GRID))
    return best, best_scores


def draw_confused(x: np.ndarray, wrong: np.ndarray, path: Path) -> None:
    """The images that the model got wrong, side by side, eight times as large."""
    tiles = [np.kron(16 - x[i].reshape(8, 8), np.ones((8, 8))) * 15.9 for i in wrong[:12]] or [np.zeros((64, 64))]
    Image.fromarray(np.hstack(tiles).astype(np.uint8)).save(path)


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Tune, train, test; returns what is written to out/metrics.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1797)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    digits = load_digits()
    x, y = digits.data[: args.images], digits.target[: args.images]
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, stratify=y, random_state=args.seed)
    (c, gamma), scores = tune(x_train, y_train, args.folds, args.seed)
    model = classifier(c, gamma).fit(x_train, y_train)
    guess = model.predict(x_test)
    args.out.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, args.out / "model.joblib")
    draw_confused(x_test, np.nonzero(guess != y_test)[0], args.out / "confused.png")
    matrix = confusion_matrix(y_test, guess, labels=range(10))
    metrics = {
        "train_images": len(x_train),
        "test_images": len(x_test),
        "c": c,
        "gamma": gamma,
        "fold_accuracy": [round(float(score), 4) for score in scores],
        "test_accuracy": round(float(accuracy_score(y_test, guess)), 4),
        "test_f1_macro": round(float(f1_score(y_test, guess, average="macro")), 4),
        "confusion": matrix.tolist(),
    }
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    tell_progress(1000)
    print(json.dumps({key: value for key, value in metrics.items() if key != "confusion"}))
    return metrics


if __name__ == "__main__":
    main()
