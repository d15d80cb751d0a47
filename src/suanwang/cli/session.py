"""What every command has: whether it prints JSON, where the brain is, and one way to end with an error."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suanwang.cli.exits import Exit, exit_of_status
from suanwang.cli.words import LANG

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from suanwang.client import Client
    from suanwang.model.error import SuanwangError
    from suanwang.runtime.settings import Settings

WIDTH_WITHOUT_TERMINAL = 100


@dataclass
class Session:
    """The common options of one command."""

    as_json: bool = False
    url: str | None = None
    home: Path | None = None
    _console: Any = None

    # -- output ------------------------------------------------------------------------------------------------

    @property
    def console(self) -> "Console":
        """Where people read. With `--json` nothing of it reaches the standard output."""
        if self._console is None:
            from rich.console import Console

            terminal = sys.stdout.isatty()
            width = None if terminal or "COLUMNS" in os.environ else WIDTH_WITHOUT_TERMINAL
            # No markup: names and paths are a user's words, and may hold brackets.
            self._console = Console(
                stderr=self.as_json, quiet=self.as_json, highlight=False, markup=False, emoji=False, width=width
            )
        console: Console = self._console
        return console

    def document(self, value: "BaseModel | dict[str, Any] | list[Any]") -> None:
        """The one JSON document of this command."""
        sys.stdout.write(_json(value, indent=2) + "\n")
        sys.stdout.flush()

    def row(self, value: dict[str, Any]) -> None:
        """One line of NDJSON."""
        sys.stdout.write(_json(value) + "\n")
        sys.stdout.flush()

    # -- the brain ---------------------------------------------------------------------------------------------

    def settings(self, **given: Any) -> "Settings":
        from suanwang.runtime.settings import read_settings

        return read_settings(home=self.home, **given)

    @contextmanager
    def client(self) -> "Iterator[Client]":
        """A client of the brain that was named, else of the one of this home, which is started for the time."""
        from suanwang.client import Client
        from suanwang.client.connect import running

        settings = self.settings(url=self.url)
        here = running(settings.home)
        if settings.url or here is not None:
            url = settings.url or (here.url if here else "")
            key = settings.key or (here.key if here else _home_key(settings))
            with Client(url, key, lang=LANG) as client:
                yield client
            return
        from suanwang.runtime.app import embedded

        quiet_logs()
        with embedded(settings) as (url, key), Client(url, settings.key or key, lang=LANG) as client:
            yield client

    # -- errors ------------------------------------------------------------------------------------------------

    def fail(self, error: "SuanwangError") -> Exit:
        """Say what is wrong: every fault, in the reader's language. The exit status that it means."""
        from suanwang.cli.show.faults import error_document, print_error

        if self.as_json:
            self.document(error_document(error))
        else:
            from rich.console import Console

            print_error(Console(stderr=True, highlight=False, markup=False, emoji=False), error)
        return exit_of_status(error.status)


def _home_key(settings: "Settings") -> str | None:
    try:
        return str(json.loads((settings.home / "credentials.json").read_text("utf-8"))["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_model(value: Any) -> bool:
    return hasattr(value, "model_dump_json")


def _plain(value: Any) -> Any:
    if _is_model(value):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value)}")


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def quiet_logs() -> None:
    """A brain or an agent in this process logs to the standard error, and only what somebody must know. A traceback
    goes without the values of variables: secrets and keys may be among them."""
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # the one of this moment: it may be replaced
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    )
