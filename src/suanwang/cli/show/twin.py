"""What became of a simulated history."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.cli.session import Session
    from suanwang.twin.main import History


def show_history(session: "Session", history: "History") -> None:
    """One JSON document, or a few lines for people."""
    if session.as_json:
        session.document(asdict(history))
        return
    print_ = session.console.print
    print_(t("cli.twin.kept", steps=f"{history.steps:,}", seconds=f"{history.virtual_s:,}", sites=history.sites))
    for phase, count in history.ended.items():
        print_(f"  {t(f'phase.{phase}'):<14} {count:>8,}")
    print_(t("cli.twin.digest", digest=history.digest[:16], records=f"{history.records:,}"), style="dim")
