"""A file of tasks in whatever form, as the commands take it: read, its warnings told, and of several choices the best one."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.client import Client
    from suanwang.intent.doors import DoorRead, Form
    from suanwang.model.task import TaskRequest
    from suanwang.model.view import DoorWish

SKIPPED_FOLDERS = frozenset({".git"})  # of a working folder that is uploaded


@dataclass(frozen=True)
class TaskFile:
    """A file that was opened. A task file is read at once: its faults are found before any brain is asked."""

    text: bytes
    source: str
    folder: Path
    form: "Form"
    read: "DoorRead | None"

    def tasks(self, client: "Client") -> "list[TaskRequest]":
        """Its tasks; of each that leaves a choice the one that the grid takes for the least."""
        from suanwang.cli.slurm import desk_of, warn
        from suanwang.intent.doors import read_any

        found = self.read
        if found is None:
            found = read_any(self.text, self.source, self.form, client.doors(), desk_of(client), self._below)
            warn(found.warnings, self.source)
        return [_chosen(client, one, self.folder) for one in found.wishes]

    def _below(self, name: str) -> list[str] | None:
        """The files below a folder beside the file."""
        top = self.folder / name
        if not top.is_dir():
            return None
        out: list[str] = []
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(one for one in folders if one not in SKIPPED_FOLDERS)
            out += [str((Path(folder) / one).relative_to(top)) for one in sorted(files)]
        return out


def open_file(file: str, files: Path | None, form: str | None) -> TaskFile:
    """A file, or `-` for the standard input. Raises FaultsError."""
    from suanwang.cli.tasks import read_bytes
    from suanwang.intent.doors import Form, form_of, read_any
    from suanwang.intent.slurm import Desk
    from suanwang.model.doors import DoorRules

    if form is not None and form not in list(Form):
        raise typer.BadParameter(t("cli.form", got=form, known=", ".join(Form)), param_hint="--form")
    text, source = (sys.stdin.buffer.read(), "<stdin>") if file == "-" else (read_bytes(Path(file)), file)
    folder = files or (Path() if file == "-" else Path(file).parent)
    named = Form.QASM if file.endswith(".qasm") else None
    kind = Form(form) if form is not None else named or form_of(text, source)
    read = read_any(text, source, kind, DoorRules(), Desk()) if kind in (Form.TASK, Form.QASM) else None
    return TaskFile(text, source, folder, kind, read)


def _chosen(client: "Client", wish: "DoorWish", folder: Path) -> "TaskRequest":
    """The only choice; of several the first that fits (`ordered`), or the cheapest. Where none fits the first one, so that
    its reasons are told."""
    if len(wish.choices) == 1:
        return wish.choices[0]
    best: TaskRequest | None = None
    least = 0
    for one in wish.choices:
        answer = client.plan(one, files=folder)
        if answer.plan is None or answer.refusals:
            continue
        if best is None or answer.plan.quote_micro_yuan < least:
            best, least = one, answer.plan.quote_micro_yuan
        if wish.ordered:
            break
    chosen = best or wish.choices[0]
    has = chosen.resources
    what = f"{has.accelerator} x {has.accelerators}" if has.accelerators else f"cpu {has.cpu}"
    sys.stderr.write(t("cli.chosen", count=len(wish.choices), what=what) + "\n")
    return chosen


def one_task(tasks: "Sequence[Any]") -> Any:
    """The only task of a file."""
    if len(tasks) != 1:
        raise typer.BadParameter(t("cli.one_task", count=len(tasks)), param_hint="FILE")
    return tasks[0]
