"""How a command is declared: its own parameters, then the ones that all have, then one way to run and to fail."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import LANG, known, t

COMMON = t("cli.panel.common")
_COMMON: tuple[tuple[str, Any, Any], ...] = (
    ("as_json", Annotated[bool, typer.Option("--json", help=t("cli.option.json"), rich_help_panel=COMMON)], False),
    ("lang", Annotated[str, typer.Option("--lang", help=t("cli.option.lang"), rich_help_panel=COMMON)], LANG),
)
_BRAIN: tuple[tuple[str, Any, Any], ...] = (
    (
        "url",
        Annotated[
            str | None, typer.Option("--url", help=t("cli.option.url"), rich_help_panel=COMMON, show_default=False)
        ],
        None,
    ),
    (
        "home",
        Annotated[
            Path | None, typer.Option("--home", help=t("cli.option.home"), rich_help_panel=COMMON, show_default=False)
        ],
        None,
    ),
)
Body = Callable[..., Any]


def command(
    app: typer.Typer, name: str, *, brain: bool = True, settings: dict[str, Any] | None = None
) -> Callable[[Body], Body]:
    """Register a command. Its function takes a `Session` first and gives an exit status, or None for success.
    The help is the text `cli.help.<app>.<name>`."""
    assert known(f"cli.help.{_path(app, name)}"), f"no help for {name}"

    def register(body: Body) -> Body:
        signature = inspect.signature(body, eval_str=True)
        own = list(signature.parameters.values())[1:]
        common = [_parameter(*one) for one in (*_COMMON, *(_BRAIN if brain else ()))]

        def run(**given: Any) -> int:
            given.pop("lang")
            session = Session(given.pop("as_json"))
            if brain:
                session.url, session.home = given.pop("url"), given.pop("home")
            return int(guarded(session, lambda: body(session, **given)))

        parameters = [*own, *common]
        run.__signature__ = signature.replace(parameters=parameters, return_annotation=int)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__name__ = body.__name__
        run.__doc__ = None
        app.command(name, help=t(f"cli.help.{_path(app, name)}"), context_settings=settings)(run)
        return body

    return register


def _path(app: typer.Typer, name: str) -> str:
    group = app.info.name
    return f"{group}.{name}" if isinstance(group, str) and group != "suanwang" else name


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def guarded(session: Session, body: Callable[[], Any]) -> Exit:
    """Run, and turn every foreseen error into words and an exit status."""
    from suanwang.model.error import SuanwangError

    try:
        found = body()
    except SuanwangError as error:
        return session.fail(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.OK if found is None else Exit(found)


def group(name: str) -> typer.Typer:
    """A command with commands below it."""
    return typer.Typer(name=name, help=t(f"cli.help.{name}"), no_args_is_help=True, add_completion=False)
