"""Clock, random numbers and ids are arguments; only `runtime/` may call the real ones."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from source import Module, modules

# Module -> its banned names; "*" is all of it. The replacement stands in the failure's text.
BANNED: dict[str, set[str]] = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "random": {"*"},
    "secrets": {"*"},
    "uuid": {"*"},
    "os": {"urandom"},
    "numpy.random": {"seed", "rand", "randn", "randint"},
}
REPLACEMENT = "take a clock, a random stream or an id maker as an argument; the real ones are in suanwang.runtime"
# (module, call) -> why it may.
_RUNNER = "runs on a node of a Ray cluster, as a program of its own: nobody is there to hand it a clock"
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("agent.adapters.ray.runner", "time.monotonic"): _RUNNER,
    ("agent.adapters.ray.runner", "time.sleep"): _RUNNER,
    ("services.catalogue.linear-solve.job", "time.perf_counter"): "it runs at a site, and the rate is what it measures",
}
# A seeded generator is no hidden input: it is the argument itself.
SEEDED = {("random", "Random")}


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Local name -> what it stands for: `import datetime as dt`, `from time import sleep`."""
    out = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                out[alias.asname or alias.name.split(".")[0]] = alias.name if alias.asname else alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                out[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return out


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return None
    return ".".join([aliases[node.id], *reversed(parts)])


def banned_uses(module: Module) -> Iterator[tuple[str, int]]:
    """Every use of a banned name, called or handed on, with its line."""
    aliases = _aliases(module.tree)
    annotations = {id(part) for node in ast.walk(module.tree) for part in _annotation(node)}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Attribute | ast.Name) or id(node) in annotations:
            continue
        name = _dotted(node, aliases)
        if name is None:
            continue
        home, _, last = name.rpartition(".")
        home = home.removesuffix(".datetime").removesuffix(".date")
        names = BANNED.get(home, set())
        if (last in names or "*" in names) and (home, last) not in SEEDED:
            yield name, node.lineno


def _annotation(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a type annotation: naming `random.Random` as a type is no use."""
    for field in ("annotation", "returns"):
        found = getattr(node, field, None)
        if isinstance(found, ast.AST):
            yield from ast.walk(found)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name or "suanwang")
def test_no_hidden_clock_random_or_id(module: Module) -> None:
    if module.part == "runtime":
        return
    found = [f"{name} at line {line}" for name, line in banned_uses(module) if (module.name, name) not in EXCEPTIONS]
    assert not found, f"{module.name}: {found}; {REPLACEMENT}"


def test_every_exception_is_still_needed() -> None:
    used = {(module.name, name) for module in modules() for name, _ in banned_uses(module)}
    assert set(EXCEPTIONS) <= used


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import time\ntime.sleep(1)", ["time.sleep"]),
        ("from time import monotonic as now\nx = now()", ["time.monotonic"]),
        ("import datetime as dt\ndt.datetime.now()", ["datetime.datetime.now"]),
        ("from datetime import datetime\ndatetime.utcnow()", ["datetime.datetime.utcnow"]),
        ("import random\nrandom.random()", ["random.random"]),
        ("import random\nr = random.Random(7)\ndef f(r: random.Random): ...", []),
        ("import uuid\nf = uuid.uuid4", ["uuid.uuid4"]),
        ("import os\nos.urandom(8)\nos.getcwd()", ["os.urandom"]),
        ("import time\ntime.strftime('%Y')", []),
        ("def f(secrets):\n    return secrets.get('a')", []),
    ],
)
def test_the_checker_sees_what_it_must(text: str, expected: list[str]) -> None:
    module = Module("plan.invented", Path("plan/invented.py"), ast.parse(text))
    assert [name for name, _ in banned_uses(module)] == expected
