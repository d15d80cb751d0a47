"""A multilayer perceptron, its back-propagation and Adam in numpy, on two spirals. Writes out/weights.npz and out/loss.csv."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def spirals(n, noise, rng):
    """Points in the plane and the arm that each is of."""
    label = rng.integers(0, 2, n)
    turn = np.sqrt(rng.random(n)) * 2.6 * np.pi + 0.6
    radius = turn / (2.6 * np.pi + 0.6)
    angle = turn + np.pi * label
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + noise * rng.normal(size=(n, 2)), label


def make(width, rng):
    sizes = [(2, width), (width, width), (width, width), (width, 1)]
    return [value for a, b in sizes for value in (rng.normal(size=(a, b)) * np.sqrt(2 / a), np.zeros(b))]


def forward(net, x):
    kept = [x]
    for at in range(0, len(net), 2):
        x = x @ net[at] + net[at + 1]
        if at < len(net) - 2:
            x = np.tanh(x)
        kept.append(x)
    return kept


def loss_of(net, x, y):
    z = forward(net, x)[-1][:, 0]
    return float(np.mean(np.logaddexp(0, z) - y * z))


def gradient(net, x, y):
    kept = forward(net, x)
    z = kept[-1][:, 0]
    back = ((1 / (1 + np.exp(-z)) - y) / len(y))[:, None]
    out = [None] * len(net)
    for at in range(len(net) - 2, -1, -2):
        before = kept[at // 2]
        out[at], out[at + 1] = before.T @ back, back.sum(0)
        if at:
            back = (back @ net[at].T) * (1 - before**2)
    return out


def gradient_error(net, x, y, rng):
    """The worst relative difference over some weights."""
    found, worst = gradient(net, x, y), 0.0
    for _ in range(20):
        layer = int(rng.integers(len(net)))
        place = tuple(int(rng.integers(n)) for n in net[layer].shape)
        kept, h = net[layer][place], 1e-5
        net[layer][place] = kept + h
        above = loss_of(net, x, y)
        net[layer][place] = kept - h
        below = loss_of(net, x, y)
        net[layer][place] = kept
        slope = (above - below) / (2 * h)
        worst = max(worst, abs(slope - found[layer][place]) / max(1e-3, abs(slope)))
    return worst


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    x, y = spirals(p.points, p.noise, rng)
    test_x, test_y = spirals(2000, p.noise, rng)
    net = make(p.width, rng)
    error = gradient_error(net, x[:64], y[:64], rng)
    mean, square, step, losses = [np.zeros_like(w) for w in net], [np.zeros_like(w) for w in net], 0, []
    for epoch in range(p.epochs):
        order = rng.permutation(p.points)
        rate = 0.005 * 0.5 * (1 + np.cos(np.pi * epoch / p.epochs)) + 1e-4
        for at in range(0, p.points, 32):
            batch = order[at : at + 32]
            step += 1
            for layer, slope in enumerate(gradient(net, x[batch], y[batch])):
                mean[layer] = 0.9 * mean[layer] + 0.1 * slope
                square[layer] = 0.999 * square[layer] + 0.001 * slope**2
                size = np.sqrt(square[layer] / (1 - 0.999**step)) + 1e-8
                net[layer] -= rate * mean[layer] / (1 - 0.9**step) / size
        losses.append(loss_of(net, x, y))
        progress((epoch + 1) / p.epochs)
    np.savez(out / "weights.npz", *net)
    with (out / "loss.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("epoch", "loss"), *enumerate(losses, 1)])
    return {
        "weights": int(sum(w.size for w in net)),
        "loss_start": losses[0],
        "loss_end": losses[-1],
        "accuracy": float(((forward(net, test_x)[-1][:, 0] > 0) == test_y).mean()),
        "gradient_error": error,
    }
