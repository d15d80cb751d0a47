"""One file, whatever system's form it is in: which that is, and its tasks. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final

from suanwang.intent.circuits import circuit_task
from suanwang.intent.document import parse
from suanwang.intent.foreign import Translated
from suanwang.intent.kubernetes import read_kubernetes
from suanwang.intent.read import read_task
from suanwang.intent.skypilot import Files, is_skypilot, read_skypilot
from suanwang.intent.slurm import Command, Desk, read_sbatch
from suanwang.intent.yaml_parts import parts_of
from suanwang.model.doors import DoorRules
from suanwang.model.error import Fault, FaultsError
from suanwang.model.view import DoorWish


class Form(StrEnum):
    """The forms that are read."""

    TASK = "task"
    SBATCH = "sbatch"
    KUBERNETES = "kubernetes"
    SKYPILOT = "skypilot"
    QASM = "qasm"  # a circuit in OpenQASM


_CIRCUIT: Final = re.compile(r"^\s*OPENQASM\s+[0-9]", re.MULTILINE)


@dataclass(frozen=True)
class DoorRead:
    form: Form
    wishes: tuple[DoorWish, ...]
    warnings: tuple[Fault, ...] = ()


def form_of(text: str | bytes, source: str) -> Form:
    """The form of a file. What cannot be told, or cannot be read, is a task file: its reader says what is wrong."""
    head = text[:65_536].decode(errors="replace") if isinstance(text, bytes) else text[:65_536]
    if head.startswith("#!") and "\n#SBATCH" in head:
        return Form.SBATCH
    if _CIRCUIT.search(head):
        return Form.QASM
    try:
        data: Any = parse(parts_of(text, source)[0].text, source).data
    except FaultsError:
        return Form.TASK
    if isinstance(data, dict) and "apiVersion" in data and "kind" in data:
        return Form.KUBERNETES
    return Form.SKYPILOT if is_skypilot(data) else Form.TASK


def read_any(
    text: str | bytes, source: str, form: Form, rules: DoorRules, desk: Desk, files: Files = lambda _: None
) -> DoorRead:
    """The tasks of a file of this form. Raises FaultsError with every fault."""
    if form is Form.TASK:
        return DoorRead(form, (DoorWish(choices=(read_task(text, source),)),))
    if form is Form.QASM:
        circuit, _ = circuit_task(text, source, name=PurePath(source).stem or source)
        return DoorRead(form, (DoorWish(choices=(circuit,)),))
    if form is Form.SBATCH:
        found = read_sbatch(text, source, Command((), (), source, ()), desk, rules)
        return DoorRead(form, (DoorWish(choices=(found.request,)),), found.warnings)
    if form is Form.KUBERNETES:
        jobs = read_kubernetes(text, source, rules)
        return DoorRead(form, tuple(DoorWish(choices=(one,)) for one in jobs.requests), jobs.warnings)
    return _skypilot(text, source, rules, files)


def _skypilot(text: str | bytes, source: str, rules: DoorRules, files: Files) -> DoorRead:
    """One task; a pipeline of several is refused, since its tasks come one after the other."""
    parts = parts_of(text, source)
    if len(parts) > 1:
        raise FaultsError([Fault("sky_pipeline", "", f"{len(parts)}", parts[1].first_line)], source)
    found: Translated = read_skypilot(parts[0], source, rules, files)
    data = parse(parts[0].text, source).data
    resources = data.get("resources") or {}
    return DoorRead(Form.SKYPILOT, (DoorWish(choices=found.requests, ordered="ordered" in resources),), found.warnings)
