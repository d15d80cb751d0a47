"""Errors and faults: each fault with file and line, field, what was got, why, and the right form."""

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from suanwang.cli.words import LANG, known, t
from suanwang.model.error import Fault, FaultsError, SuanwangError


def fault_text(fault: Fault) -> str:
    """The words of a fault: by its code, else those that the brain sent."""
    sent = str(fault.params.get("text", ""))
    if known(f"fault.{fault.code}"):
        params = {name: value for name, value in fault.params.items() if name != "text"}
        return t(f"fault.{fault.code}", **{**params, "got": fault.got, "where": fault.where})
    return sent or fault.code


def error_text(error: SuanwangError) -> str:
    """The words of an error; what the brain said in the reader's language counts first."""
    sent = error.params.get("detail") if "status" in error.params else None
    return str(sent) if sent else t(f"error.{error.code}", **error.params)


def error_document(error: SuanwangError) -> dict[str, Any]:
    """What `--json` prints of an error."""
    faults = error.faults if isinstance(error, FaultsError) else []
    return {
        "error": {
            "code": error.code,
            "status": error.status,
            "text": error_text(error),
            "lang": LANG,
            "faults": [
                {
                    "where": one.where,
                    "line": one.line,
                    "got": one.got,
                    "code": one.code,
                    "text": fault_text(one),
                }
                for one in faults
            ],
        }
    }


def print_error(console: Console, error: SuanwangError) -> None:
    if isinstance(error, FaultsError):
        console.print(faults_of(error))
        return
    console.print(Text.assemble(("✗ ", "bold red"), (error_text(error), "bold")))


def faults_of(error: FaultsError) -> RenderableType:
    """A block a fault: where it is, then why and the right form."""
    source = error.source if error.source not in ("body", "request") else ""
    blocks: list[RenderableType] = []
    for fault in error.faults:
        place = ":".join(str(part) for part in (source, fault.line) if part)
        head = Text.assemble(("✗ ", "bold red"), (place, "bold"), "  " if place else "", (fault.where, "cyan"))
        blocks += [head, Padding(_marked(fault_text(fault)), (0, 0, 0, 2))]
    count = len(error.faults)
    blocks.append(Text(t("cli.faults.one" if count == 1 else "cli.faults.many", count=count), "bold red"))
    return Group(*blocks)


def _marked(words: str) -> Text:
    """What stands between backticks is code."""
    text = Text()
    for at, part in enumerate(words.split("`")):
        text.append(part, "yellow" if at % 2 else "")
    return text
