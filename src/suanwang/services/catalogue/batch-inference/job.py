"""Label images in batches with a small network, in float and in 8-bit integers. Data: the digits that scikit-learn ships.

Filters are random and fixed; the last layer is fitted by ridge regression. Writes out/labels.csv and out/model.npz.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from sklearn.datasets import load_digits

FILTERS = 48


def windows(images):
    """3 x 3 patches: (n, 36, 9)."""
    return np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2)).reshape(len(images), 36, 9)


def pooled(maps):
    """The greatest of each 2 x 2: (n, 9 * filters)."""
    return maps.reshape(len(maps), 3, 2, 3, 2, FILTERS).max((2, 4)).reshape(len(maps), -1)


def features(images, filters):
    return pooled(np.maximum(windows(images) @ filters - 0.3, 0))


def quantised(values):
    """Integers of 8 bits and their scale."""
    scale = np.abs(values).max() / 127
    return np.round(values / scale).astype(np.int8), scale


def int8_labels(images, filters, head, bias):
    """The same network with integer products, summed in 32 bits."""
    q_filters, s_filters = quantised(filters)
    q_head, s_head = quantised(head)
    q_images = np.round(windows(images) * 127).astype(np.int8)
    maps = q_images.astype(np.int32) @ q_filters.astype(np.int32)
    hidden = pooled(np.maximum(maps * (s_filters / 127) - 0.3, 0))
    q_hidden, s_hidden = quantised(hidden)
    return (q_hidden.astype(np.int32) @ q_head.astype(np.int32) * (s_hidden * s_head) + bias).argmax(1)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    digits = load_digits()
    images, labels = digits.images / 16.0, digits.target
    order = rng.permutation(len(images))
    learn, held = order[:1200], order[1200:]
    filters = rng.normal(size=(9, FILTERS)) / 2
    known = features(images[learn], filters)
    wanted = np.eye(10)[labels[learn]] - 0.1
    middle = known.mean(0)
    head = np.linalg.solve(
        (known - middle).T @ (known - middle) + 3.0 * np.eye(known.shape[1]), (known - middle).T @ wanted
    )
    bias = -middle @ head
    np.savez(out / "model.npz", filters=filters, head=head, bias=bias)
    # The stream: held digits again and again, each with grain of its own.
    which = held[rng.integers(0, len(held), p.images)]
    right = agree = done = 0
    with (out / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "digit"))
        while done < p.images:
            part = which[done : done + p.batch]
            batch = np.clip(images[part] + 0.05 * rng.normal(size=(len(part), 8, 8)), 0, 1)
            found = (features(batch, filters) @ head + bias).argmax(1)
            agree += int((found == int8_labels(batch, filters, head, bias)).sum())
            right += int((found == labels[part]).sum())
            writer.writerows(zip(range(done, done + len(part)), found.tolist(), strict=True))
            done += len(part)
            progress(done / p.images)
    one_by_one = np.concatenate([(features(one[None], filters) @ head + bias).argmax(1) for one in images[held[:64]]])
    together = (features(images[held[:64]], filters) @ head + bias).argmax(1)
    return {
        "labelled": done,
        "accuracy": right / done,
        "int8_agreement": agree / done,
        "batch_changes_labels": bool((one_by_one != together).any()),
    }
