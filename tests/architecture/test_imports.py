"""Who may import whom. The table is the architecture; a new arrow is a decision, not a slip."""

import ast
from pathlib import Path

import pytest
from source import Module, imports, modules

EVERYWHERE = {"failpoints", "texts"}  # by every part but the model
# The part -> the other parts of suanwang that it may import.
ALLOWED: dict[str, set[str]] = {
    "model": set(),
    "failpoints": set(),
    "texts": set(),
    "qasm": {"model"},  # text of a circuit in, what it is made of out
    "intent": {"model", "qasm"},
    "grids": {"model", "intent"},
    "admission": {"model"},
    "fair": {"model"},
    "net": {"model"},
    "plan": {"model", "net"},
    "guide": {"model", "plan"},  # advice is data; the planner never asks for it
    "verify": {"model"},  # never the planner that it checks
    "observe": {"model"},
    "settle": {"model"},
    "dispatch": {"model", "fair", "observe", "settle"},
    "agent": {"model", "qasm"},  # what is checked at the door is what the device is given
    "bus": {"model"},
    "store": {"model"},
    "judge": {"model", "admission", "plan", "verify", "dispatch", "observe"},
    "repair": {"model", "judge", "plan", "verify", "dispatch", "observe"},
    "improve": {"model", "judge", "repair", "plan", "verify", "dispatch", "observe"},  # beside the road, under its lock
    "livenet": {"model", "net", "plan"},  # the planner's calendars and the path engine, over one snapshot
    "reserve": {"model", "livenet", "improve", "verify", "observe"},  # under the road's lock, as improve is
    "flow": {"model", "reserve", "admission", "dispatch"},
    "compose": {"model", "flow", "admission"},  # beside the road, under its lock
    "api": {
        "model",
        "intent",
        "observe",
        "store",
        "services",
    },  # the store to read its projections; only the brain writes
    "client": {"model", "intent"},
    "functions": {"model", "intent", "client"},  # Python functions as tasks, through the client alone
    # `suanwang twin` and `what-if` ship with the product.
    "cli": {"model", "intent", "qasm", "grids", "client", "runtime", "twin", "whatif"},
    "services": {"model"},
    "lab": {"model", "net"},  # real routers on this machine; only `runtime` imports it
    "twin": {
        "model",
        "grids",
        "flow",
        "admission",
        "plan",
        "verify",
        "dispatch",
        "observe",
        "settle",
        "agent",
        "store",
    },
    "traces": {"model"},  # text in, arrivals out
    "whatif": {"model", "intent", "grids", "twin"},  # a day is played by the twin, and by nothing else
    "runtime": {"*"},  # the composition root
}
# Narrow exceptions: (module, the part or module that it may import besides), with the reason.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("client.sync", "runtime.clock"): "a client waits and times out by the real clock, which lives in runtime",
    ("client.aio", "runtime.clock"): "as above",
    ("client.workflows", "runtime.clock"): "as above",
    ("client.workflows_aio", "runtime.clock"): "as above",
    ("client.sync", "runtime.ids"): "idempotency keys are random, and randomness lives in runtime",
    ("client.aio", "runtime.ids"): "as above",
    ("verify.batch_rows", "net.jit"): "the compiler alone: no rule of the planner is in it",
}
# A lock round what is remembered between calls changes no answer.
NOT_INPUT_OR_OUTPUT = {("plan.planner", "threading")}
# Only the composition root chooses an adapter; the twin runs the fake one by design.
MAY_IMPORT_ADAPTERS = {"runtime", "twin", "agent"}


def inner(name: str) -> str | None:
    """`suanwang.plan.ask` -> `plan.ask`; None for other packages."""
    return name.removeprefix("suanwang.") if name.startswith("suanwang.") else None


def _names(target: str) -> list[str]:
    """`store.admin.x` -> store, store.admin."""
    words = target.split(".")
    return [words[0], ".".join(words[:2])]


def faults(module: Module) -> list[str]:
    """What a module imports and may not."""
    allowed = ALLOWED.get(module.part)
    if module.name == "":
        allowed = {"client", "functions", "model"}  # `from suanwang import Client, task`
    if allowed is None:
        return [f"{module.part} has no row in the import table"]
    if "*" in allowed:
        return []
    out = []
    for name, line in imports(module):
        target = inner(name)
        if target is None:
            continue
        part = target.split(".")[0]
        fine = part == module.part or part in allowed or (part in EVERYWHERE and module.part != "model")
        if not fine and not any((module.name, name) in EXCEPTIONS for name in _names(target)):
            out.append(f"{module.name}:{line} imports {name}")
    return out


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name or "suanwang")
def test_imports_only_what_the_table_allows(module: Module) -> None:
    assert not faults(module)


def test_only_the_composition_root_chooses_adapters() -> None:
    found = [
        f"{module.name}:{line}"
        for module in modules()
        for name, line in imports(module)
        if name.startswith("suanwang.agent.adapters") and module.part not in MAY_IMPORT_ADAPTERS
    ]
    assert not found


def test_pure_stages_import_no_input_or_output() -> None:
    banned = {"asyncio", "socket", "subprocess", "sqlite3", "sqlalchemy", "httpx", "threading", "requests", "fsspec"}
    pure = {
        "model",
        "intent",
        "qasm",
        "admission",
        "fair",
        "plan",
        "guide",
        "net",
        "verify",
        "observe",
        "settle",
        "dispatch",
        "livenet",
        "traces",
        "whatif",
    }
    found = [
        f"{module.name}:{line} imports {name}"
        for module in modules()
        if module.part in pure
        for name, line in imports(module)
        if name.split(".")[0] in banned and (module.name, name) not in NOT_INPUT_OR_OUTPUT
    ]
    assert not found


def test_every_exception_is_still_needed() -> None:
    used = {
        (module.name, known)
        for module in modules()
        for name, _ in imports(module)
        if (target := inner(name)) is not None
        for known in _names(target)
    }
    assert set(EXCEPTIONS) <= used


def test_the_checker_sees_a_broken_arrow() -> None:
    text = "from suanwang.plan.ask import PlanAsk\ndef late():\n    from suanwang import store\n"
    module = Module("verify.invented", Path("verify/invented.py"), ast.parse(text))
    assert faults(module) == [
        "verify.invented:1 imports suanwang.plan.ask",
        "verify.invented:3 imports suanwang.store",
    ]
    relative = Module("net.invented", Path("net/invented.py"), ast.parse("from ..store import rows\n"))
    assert faults(relative) == ["net.invented:1 imports suanwang.store"]
