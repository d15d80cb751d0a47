"""A causal transformer block (attention, residual, perceptron) with hand-written gradients, trained by Adam.

The language: 12 letters from a second-order Markov chain that is made at random, so its entropy rate, which no model can go
below, is known. Writes out/loss.csv and out/weights.npz.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

LETTERS = 12


def grammar(rng):
    """Chances of the next letter after two; peaked, so that there is something to learn."""
    chance = rng.dirichlet(np.full(LETTERS, 0.12), (LETTERS, LETTERS)) * 0.98 + 0.02 / LETTERS
    return chance / chance.sum(-1, keepdims=True)


def speak(chance, n, rng):
    total = np.cumsum(chance, -1)
    out, dice = np.empty(n, dtype=np.int64), rng.random(n)
    a = b = 0
    for at in range(n):
        a, b = b, min(LETTERS - 1, int(np.searchsorted(total[a, b], dice[at])))
        out[at] = b
    return out


def one_letter_entropy(text):
    """What the best model that sees only the letter before would lose, in nats."""
    pairs = np.zeros((LETTERS, LETTERS))
    np.add.at(pairs, (text[:-1], text[1:]), 1)
    share = pairs / pairs.sum()
    return float(-(share * np.log(np.maximum(pairs / np.maximum(pairs.sum(1, keepdims=True), 1), 1e-12))).sum())


def make(width, context, rng):
    def normal(*shape):
        return rng.normal(size=shape) / np.sqrt(shape[0])

    return {
        "letter": rng.normal(size=(LETTERS, width)) * 0.5, "place": rng.normal(size=(context, width)) * 0.5,
        "q": normal(width, width), "k": normal(width, width), "v": normal(width, width), "o": normal(width, width) * 0.5,
        "up": normal(width, 4 * width), "up_b": np.zeros(4 * width), "down": normal(4 * width, width) * 0.5,
        "out": normal(width, LETTERS), "out_b": np.zeros(LETTERS),
    }  # fmt: skip


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def forward(w, text):
    """Chances of the next letter at every place, and what the way back needs."""
    n = text.shape[1]
    x = w["letter"][text] + w["place"][:n]
    q, k, v = x @ w["q"], x @ w["k"], x @ w["v"]
    score = q @ k.transpose(0, 2, 1) / np.sqrt(x.shape[-1])
    look = softmax(np.where(np.tri(n, dtype=bool), score, -1e9))
    seen = look @ v
    y = x + seen @ w["o"]
    wide = np.tanh(y @ w["up"] + w["up_b"])
    z = y + wide @ w["down"]
    return softmax(z @ w["out"] + w["out_b"]), (x, q, k, v, look, seen, y, wide, z)


def loss_of(w, text, target):
    chance, _ = forward(w, text)
    return float(-np.log(np.take_along_axis(chance, target[..., None], -1)).mean())


def flat(x):
    return x.reshape(-1, x.shape[-1])


def gradient(w, text, target):
    chance, (x, q, k, v, look, seen, y, wide, z) = forward(w, text)
    n, g = text.shape[1], {}
    d = chance.copy()
    np.put_along_axis(d, target[..., None], np.take_along_axis(d, target[..., None], -1) - 1, -1)
    d /= target.size
    g["out"], g["out_b"] = flat(z).T @ flat(d), flat(d).sum(0)
    dz = d @ w["out"].T
    g["down"] = flat(wide).T @ flat(dz)
    dwide = (dz @ w["down"].T) * (1 - wide**2)
    g["up"], g["up_b"] = flat(y).T @ flat(dwide), flat(dwide).sum(0)
    dy = dz + dwide @ w["up"].T
    g["o"] = flat(seen).T @ flat(dy)
    dseen = dy @ w["o"].T
    dlook = dseen @ v.transpose(0, 2, 1)
    dv = look.transpose(0, 2, 1) @ dseen
    dscore = look * (dlook - (dlook * look).sum(-1, keepdims=True)) / np.sqrt(x.shape[-1])
    dq, dk = dscore @ k, dscore.transpose(0, 2, 1) @ q
    g["q"], g["k"], g["v"] = flat(x).T @ flat(dq), flat(x).T @ flat(dk), flat(x).T @ flat(dv)
    dx = dy + dq @ w["q"].T + dk @ w["k"].T + dv @ w["v"].T
    g["place"] = np.zeros_like(w["place"])
    g["place"][:n] = dx.sum(0)
    g["letter"] = np.zeros_like(w["letter"])
    np.add.at(g["letter"], text, dx)
    return g


def gradient_error(w, text, target, rng):
    found, worst = gradient(w, text, target), 0.0
    for name in w:
        for _ in range(3):
            at = tuple(int(rng.integers(n)) for n in w[name].shape)
            kept, h = w[name][at], 1e-5
            w[name][at] = kept + h
            above = loss_of(w, text, target)
            w[name][at] = kept - h
            below = loss_of(w, text, target)
            w[name][at] = kept
            slope = (above - below) / (2 * h)
            worst = max(worst, abs(slope - found[name][at]) / max(1e-2, abs(slope)))
    return worst


def looks_ahead(w, text):
    """Whether changing the last letter changes what is said before it."""
    other = text.copy()
    other[:, -1] = (other[:, -1] + 1) % LETTERS
    return bool(np.abs(forward(w, text)[0][:, :-1] - forward(w, other)[0][:, :-1]).max() > 1e-12)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    chance = grammar(rng)
    text, fresh = speak(chance, 60_000, rng), speak(chance, 20_000, rng)
    w = make(p.width, p.context, rng)

    def batch(source):
        at = rng.integers(0, len(source) - p.context - 1, p.batch)[:, None] + np.arange(p.context)
        return source[at], source[at + 1]

    error = gradient_error(w, *batch(text), rng)
    mean, square = ({name: np.zeros_like(one) for name, one in w.items()} for _ in range(2))
    losses = []
    for step in range(1, p.steps + 1):
        rate = 0.008 * min(1, step / 20) * (0.5 + 0.5 * np.cos(np.pi * step / p.steps)) + 2e-4
        for name, slope in gradient(w, *batch(text)).items():
            mean[name] = 0.9 * mean[name] + 0.1 * slope
            square[name] = 0.99 * square[name] + 0.01 * slope**2
            w[name] -= rate * mean[name] / (1 - 0.9**step) / (np.sqrt(square[name] / (1 - 0.99**step)) + 1e-8)
        if step % 10 == 0:
            losses.append((step, loss_of(w, *batch(text))))
            progress(step / p.steps)
    held = float(np.mean([loss_of(w, *batch(fresh)) for _ in range(60)]))
    a, b, c = fresh[:-2], fresh[1:-1], fresh[2:]
    entropy = float(-np.log(chance[a, b, c]).mean())  # of this very text, so that luck cancels
    np.savez(out / "weights.npz", **w)
    with (out / "loss.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("step", "loss"), *losses])
    return {
        "weights": int(sum(one.size for one in w.values())),
        "loss": held,
        "entropy": entropy,
        "loss_over_entropy": held / entropy,
        "loss_over_one_letter": held / one_letter_entropy(text),
        "looks_ahead": looks_ahead(w, batch(fresh)[0]),
        "gradient_error": error,
    }
