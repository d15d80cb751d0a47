"""`suanwang`, short `sw`: the whole product from a terminal. Commands load what they need when they run."""

import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from suanwang.cli import (
    files,
    grids,
    join,
    keys,
    lab,
    network,
    qasm,
    server,
    services,
    slurm,
    slurm_views,
    stores,
    tasks,
    tenants,
    what_if,
    workflow,
)
from suanwang.cli.exits import Exit
from suanwang.cli.words import LANG, t


def build() -> typer.Typer:
    """The command tree."""
    app = typer.Typer(
        name="suanwang",
        help=t("cli.help"),
        epilog=t("cli.epilog"),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def root(
        version: bool = typer.Option(False, "--version", help=t("cli.option.version")),
        lang: str = typer.Option(LANG, "--lang", help=t("cli.option.lang")),  # `words` has read it already
    ) -> None:
        if version:
            from importlib.metadata import version as of

            sys.stdout.write(f"suanwang {of('suanwang')}\n")
            raise typer.Exit()

    for part in (
        tasks,
        workflow,
        qasm,
        services,
        slurm,
        slurm_views,
        grids,
        files,
        server,
        stores,
        keys,
        join,
        tenants,
        what_if,
        lab,
        network,
    ):
        part.add_to(app)
    return app


def run(arguments: list[str]) -> int:
    """Run one command line; the exit status."""
    try:
        found = build()(slurm.raw(arguments), standalone_mode=False, prog_name="suanwang")
    except TyperException as error:
        return _usage(error, "--json" in arguments)
    except (KeyboardInterrupt, EOFError):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.OK
    except Exception:
        return _ours("--json" in arguments)
    return int(found or 0)


def _ours(as_json: bool) -> int:
    """A fault of ours: the traceback for whoever mends it, and a status that means nothing else."""
    import traceback

    traceback.print_exc()
    if as_json:
        from suanwang.cli.session import Session

        Session(True).document({"error": {"code": "internal", "text": t("error.internal"), "faults": []}})
    return Exit.INTERNAL


def _usage(error: TyperException, as_json: bool) -> int:
    if as_json:
        from suanwang.cli.session import Session

        text = getattr(error, "message", str(error))
        Session(True).document({"error": {"code": "usage", "text": str(text), "faults": []}})
    else:
        error.show()  # type: ignore[attr-defined]
    return Exit.FAULTS


def main() -> NoReturn:
    """The entry of the installed programs."""
    sys.exit(run(sys.argv[1:]))
