"""Write the reference pages from the code, so that they cannot say something else than it does.

python tools/gen_docs.py            writes docs/reference/, and what is marked in docs/guide/services.md
python tools/gen_docs.py --check    writes nothing; exit status 1 and the names of the pages that are stale
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from suanwang.api import app as api_app
from suanwang.api import openapi
from suanwang.api.access import ACCESS
from suanwang.api.metrics import METRICS
from suanwang.dispatch.lifecycle import TABLE
from suanwang.failpoints import POINTS
from suanwang.intent.read import task_schema
from suanwang.model import error as errors
from suanwang.model.error import SuanwangError
from suanwang.model.reason import (
    NOT_THE_TASKS_FAULT,
    RETRYABLE,
    FailureReason,
    PlanFault,
    PoolReason,
    RefusalReason,
    WaitReason,
)
from suanwang.model.record import Phase
from suanwang.model.service import Expected, ServiceView, range_of
from suanwang.runtime.settings import SETTINGS
from suanwang.services import catalogue as service_catalogue
from suanwang.texts import catalogue
from suanwang.whatif import change_schema

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
MADE = "<!-- Made by tools/gen_docs.py from the code; edit the code, then run `make docs`. -->"
# Comments at the ends of lines explain the fields of the task file; they are its documentation.
FIELD = re.compile(r"^    (\w+): .*?(?:\s{2}# (.*))?$")


def page(title: str, *parts: str) -> str:
    """One page."""
    return "\n\n".join([f"# {title}", MADE, *parts]) + "\n"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; bars and line ends inside cells are made harmless."""
    lines = ["| " + " | ".join(header) + " |"]
    lines.append("|" + " --- |" * lines[0].count(" |"))
    for row in rows:
        cells = (str(cell).replace("|", "\\|").replace("\n", " ").strip() for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def code(value: object) -> str:
    """In the type of code."""
    return f"`{value}`"


def reasons() -> str:
    """Every closed enum of reasons, with its text."""
    texts = catalogue("en")

    def rows(enum: type[StrEnum], prefix: str) -> Iterator[tuple[str, str]]:
        for member in enum:
            yield code(member.value), texts[f"{prefix}.{member.value}"]

    def failures() -> Iterator[tuple[str, str, str]]:
        for reason in FailureReason:
            again = "no"
            if reason in RETRYABLE:
                again = "always: not the task's doing" if reason in NOT_THE_TASKS_FAULT else "while retries are left"
            yield code(reason.value), texts[f"failure.{reason.value}"], again

    return page(
        "Reasons",
        "Every reason that the brain can give. The enums are closed: a new reason is a change of this page.",
        "## Why a pool is not the chosen one\n\nThe clauses are tested in this order; the first that fails is given.\n\n"
        + table(("reason", "text"), rows(PoolReason, "pool_reason")),
        "## Why admission refuses a task\n\n" + table(("reason", "text"), rows(RefusalReason, "refusal")),
        "## Why a task waits\n\n" + table(("reason", "text"), rows(WaitReason, "wait")),
        "## Why an attempt failed\n\n" + table(("reason", "text", "tried again"), failures()),
        "## What the checker can find wrong with a plan\n\n"
        "A plan with a fault is never committed; the planner is asked again.\n\n"
        + table(("fault", "text"), rows(PlanFault, "plan_fault")),
    )


def _error_classes(root: type[SuanwangError] = SuanwangError) -> Iterator[type[SuanwangError]]:
    yield root
    for below in root.__subclasses__():
        yield from _error_classes(below)


def error_codes() -> str:
    """Error classes with their status, then every code of errors and faults."""
    texts = catalogue("en")
    classes = [one for one in _error_classes() if one.__module__ == errors.__name__]
    kinds = [
        (code(one.__name__), one.status, code(one.code), texts.get(f"error.{one.code}.title", "")) for one in classes
    ]

    def rows(prefix: str) -> Iterator[tuple[str, str]]:
        for key in sorted(texts):
            if key.startswith(f"{prefix}.") and not key.endswith(".title"):
                yield code(key.removeprefix(f"{prefix}.")), texts[key]

    return page(
        "Errors",
        "The API answers errors as RFC 9457 problems: `type`, `title`, `status`, `detail`, `code`, and `faults` with the "
        "place, the line, the value and the text of each. The CLI and the SDK give the same codes.",
        "## Kinds\n\n" + table(("class", "HTTP status", "default code", "title"), kinds),
        "## Codes of errors\n\n" + table(("code", "text"), rows("error")),
        "## Codes of faults in documents\n\nA document's faults are all reported at once.\n\n"
        + table(("code", "text"), rows("fault")),
    )


def settings() -> str:
    """The settings, with their environment variables."""
    rows = [(code(one.variable), one.kind, _default(one.name, one.default), one.meaning) for one in SETTINGS]
    return page(
        "Settings",
        "Read from the environment; options of the command line win over it.",
        table(("variable", "kind", "default", "meaning"), rows),
    )


def _default(name: str, value: Any) -> str:
    if name == "home":
        return "`$XDG_DATA_HOME/suanwang`, else `~/.local/share/suanwang`"
    if isinstance(value, tuple):
        value = ",".join(value)
    return code(str(value).lower() if isinstance(value, bool) else value) if value != "" else "(empty)"


def metrics() -> str:
    """What `/metrics` shows."""
    rows = [(code(one.name), one.kind, ", ".join(map(code, one.labels)), one.help) for one in METRICS]
    return page(
        "Metrics", "`GET /metrics`, in the Prometheus text form.", table(("name", "kind", "labels", "meaning"), rows)
    )


def lifecycle() -> str:
    """The transition table of a task."""
    texts = catalogue("en")
    phases = [(code(phase.value), texts[f"phase.{phase.value}"]) for phase in Phase]
    rows = [
        (code(phase.value), code(signal.value), code(found.to.value), ", ".join(code(e.value) for e in found.effects))
        for (phase, signal), found in sorted(TABLE.items(), key=lambda item: list(Phase).index(item[0][0]))
    ]
    return page(
        "The life of a task",
        "A state machine without input or output: a signal comes in, the next phase and the effects go out. A pair that "
        "is not in the table has no effect: the signal is late, repeated, or of a fenced-out attempt.",
        "## Phases\n\n" + table(("phase", "text"), phases),
        "## Transitions\n\n" + table(("phase", "signal", "next phase", "effects"), rows),
        "## Failpoints\n\nPlaces where a test cuts the power (`SUANWANG_FAILPOINT=<name>[:<nth>]`).\n\n"
        + "\n".join(f"- {code(point)}" for point in POINTS),
    )


def _comments() -> dict[tuple[str, str], str]:
    """(class, field) -> the comment at the end of its line in model/task.py."""
    out, owner = {}, ""
    for line in (ROOT / "src" / "suanwang" / "model" / "task.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("class "):
            owner = line.split("(")[0].removeprefix("class ")
        elif match := FIELD.match(line):
            out[owner, match[1]] = match[2] or ""
    return out


def _form(schema: dict[str, Any]) -> str:
    """A field's form in words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        found = task_schema()["$defs"][name]
        return " or ".join(map(code, found["enum"])) if "enum" in found else f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_form(one) for one in schema["anyOf"] if one.get("type") != "null"))
    if "enum" in schema:
        return " or ".join(map(code, schema["enum"]))
    if schema.get("examples"):
        return f"{schema.get('description', 'text')}, such as {code(schema['examples'][0])}"
    kind = str(schema.get("type", "text"))
    if kind == "array":
        return f"list of {_form(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    span = f" {low}..{high}" if low is not None and high is not None else f" from {low}" if low is not None else ""
    return {"string": "text", "boolean": "true or false", "object": "map"}.get(kind, "whole number") + span


def task_file() -> str:
    """The fields of the task file."""
    schema, comments = task_schema(), _comments()
    parts = []
    for name, one in [("TaskRequest", schema), *sorted(schema["$defs"].items())]:
        if "properties" not in one:
            continue
        required = set(one.get("required", ()))
        rows = []
        for field, form in one["properties"].items():
            default = "**needed**" if field in required else _shown_default(form)
            rows.append((code(field), _form(form), default, comments.get((name, field), "")))
        title = "The task" if name == "TaskRequest" else name
        about = " ".join(one.get("description", "").split())
        parts.append(f"## {title}\n\n{about}\n\n" + table(("field", "form", "default", "meaning"), rows))
    smallest = "The smallest task file is one line: `run: echo hello`. `suanwang init` writes a commented one."
    published = "The JSON Schema (2020-12) is [task.schema.json](task.schema.json), the same as `GET /v1/schema/task`."
    return page("The task file", smallest, published, *parts)


def _shown_default(form: dict[str, Any]) -> str:
    default = form.get("default")
    if default in (None, [], {}):
        return "" if default is None else "empty"
    return "see below" if isinstance(default, dict) else code(default)


def http() -> str:
    """The routes with who may call them."""
    application = FastAPI()
    for router in api_app.ROUTERS:
        application.include_router(router)
    paths = openapi.build(application)["paths"]
    summaries = {
        (method.upper(), path): operation.get("summary", "")
        for path, operations in paths.items()
        for method, operation in operations.items()
        if isinstance(operation, dict)
    }
    rows = [
        (
            code(row.method),
            code(row.path.replace(":path}", "}")),
            ", ".join(sorted(role.value for role in row.roles)),
            row.scope.value,
            summaries.get((row.method, row.path.replace(":path}", "}")), ""),
        )
        for row in ACCESS
    ]
    return page(
        "The HTTP API",
        "Keys are sent as `Authorization: Bearer sw_...`. The full OpenAPI 3.1 document is at `GET /v1/openapi.json`. "
        "Scope `own`: the caller's tenant; another tenant's things are not found.",
        table(("method", "path", "roles", "scope", "what it does"), rows),
    )


def cli() -> str:
    """Every command with its options."""
    import typer.main

    from suanwang.cli import words
    from suanwang.cli.main import build

    words.LANG = "en"  # the reference is in English whoever makes it

    parts: list[str] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        below = getattr(command, "commands", {})
        rows = []
        for one in command.params:
            if not getattr(one, "hidden", False):
                names = ", ".join(map(code, one.opts)) if one.param_type_name == "option" else code(one.name.upper())
                rows.append((names, getattr(one, "help", "") or ""))
        about = (command.help or "").strip()
        shown = table(("option or argument", "meaning"), rows) if rows else ""
        parts.append("\n\n".join(text for text in (f"## {' '.join(path)}", about, shown) if text))
        for name in sorted(below):
            if not getattr(below[name], "hidden", False):
                walk(below[name], (*path, name))

    walk(typer.main.get_command(build()), ("suanwang",))
    return page("The command line", "`sw` is short for `suanwang`. Every command takes `--json`.", *parts)


def schema_file() -> str:
    """The JSON Schema of the task file."""
    return json.dumps(task_schema(), indent=2, ensure_ascii=False) + "\n"


def change_schema_file() -> str:
    """The JSON Schema of a what-if's changes file."""
    return json.dumps(change_schema(), indent=2, ensure_ascii=False) + "\n"


def _bounds(one: Expected) -> str:
    """What a figure must be, in signs."""
    signs = (("≥", one.at_least), ("≤", one.at_most), ("=", one.equals))
    return ", ".join(f"{sign} {code(str(bound).removeprefix('='))}" for sign, bound in signs if bound is not None)


def _service_rows(view: ServiceView) -> Iterator[tuple[str, str, str, str]]:
    for one in view.parameters:
        yield code(one.name), f"{range_of(one)} {one.unit}".strip(), code(one.default), one.title.en


def services() -> str:
    """Every service with its parameters and what is expected of its result."""
    texts, parts, group = catalogue("en"), [], None
    for service in service_catalogue().values():
        view = service.view()
        if view.group is not group:
            group = view.group
            parts.append(f"## {texts[f'service_group.{group.value}']}")
        job = f"`examples/{view.example}/job.py`" if view.example else f"`src/suanwang/services/catalogue/{view.id}/`"
        needs = "A circuit: it needs a quantum pool and no software." if view.circuit else f"Job: {job}."
        if view.needs:
            needs += " Python packages at the site: " + ", ".join(map(code, view.needs)) + "."
        if view.relations:
            needs += " It must hold that " + " and ".join(map(code, view.relations)) + "."
        expected = [f"- {code(one.figure)} {_bounds(one)}: {one.says.en}" for one in view.expected]
        parts += [
            f"### {view.id}\n\n**{view.name.en}** ({view.name.zh_hant} · {view.name.zh_hans}). {view.about.en}",
            table(("parameter", "form", "default", "meaning"), _service_rows(view)),
            "Expected of the result:\n\n" + "\n".join(expected),
            needs,
        ]
    return page("The services", "How they are used: [the guide](../guide/services.md).", *parts)


def service_table() -> str:
    """All services in one table, for the guide."""
    texts = catalogue("en")
    rows = [
        (
            texts[f"service_group.{one.group.value}"],
            f"[{one.id}](../reference/services.md#{one.id})",
            one.name.en,
            _promises(one),
        )
        for one in (service.view() for service in service_catalogue().values())
    ]
    return f"{len(rows)} services.\n\n" + table(("group", "id", "what it does", "what its result is held to"), rows)


def _promises(view: ServiceView) -> str:
    return "; ".join(one.says.en for one in view.expected)


# A guide is written by hand but for what stands between the marks of its name.
MARKED: dict[str, Callable[[], str]] = {"services": service_table}


def _remarked(name: str) -> tuple[Path, str, str]:
    """A guide with marks: its file, its text, and what its text should be."""
    path = ROOT / "docs" / "guide" / f"{name}.md"
    old = path.read_text(encoding="utf-8")
    begin, end = f"<!-- made: {name} -->\n", f"<!-- /made: {name} -->"
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(end)
    assert after or rest.endswith(end), f"{path.name} has no marks"
    return path, old, f"{before}{begin}{MARKED[name]()}\n{end}{after}"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli,
    "errors.md": error_codes,
    "http.md": http,
    "lifecycle.md": lifecycle,
    "metrics.md": metrics,
    "reasons.md": reasons,
    "services.md": services,
    "settings.md": settings,
    "task-file.md": task_file,
    "task.schema.json": schema_file,
    "what-if.schema.json": change_schema_file,
}

FROM_RUNS = {"conformance.md"}  # by `make conformance`, which takes real backends


def stale() -> list[str]:
    """The pages that do not say what the code says, and files that no page makes."""
    found = [name for name, make in PAGES.items() if _read(REFERENCE / name) != make()]
    extra = [path.name for path in REFERENCE.glob("*") if path.name not in {*PAGES, *FROM_RUNS}]
    marked = [path.name for path, old, new in map(_remarked, MARKED) if old != new]
    return sorted(found + extra + marked)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        found = stale()
        if found:
            print("stale, run `make docs`: " + ", ".join(found), file=sys.stderr)
        return 1 if found else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make(), encoding="utf-8")
    for path, _, new in map(_remarked, MARKED):
        path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
