"""squeue, sinfo and `scontrol show job`: the grid as Slurm's tools show a cluster. Their words are Slurm's: programs read them."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from suanwang.cli.command import command
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.slurm import user_name
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.client import Client
    from suanwang.model.record import Phase
    from suanwang.model.view import TaskView

JOBS_MAX: Final = 10_000  # of one list
HELP: Final = {"help_option_names": ["--help"]}  # `-h` is Slurm's `--noheader`


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "squeue", settings=HELP)(squeue)
    command(app, "sinfo", settings=HELP)(sinfo)
    command(app, "scontrol", settings=HELP)(scontrol)


@dataclass(frozen=True)
class Wanted:
    """Which jobs a list is of. None: any."""

    jobs: tuple[str, ...] | None = None
    tenant: str | None = None
    phases: "frozenset[Phase] | None" = None  # None: what is live
    names: tuple[str, ...] | None = None
    partitions: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        client: "Client",
        job: str | None,
        user: str | None,
        me: bool,
        state: str | None,
        name: str | None,
        partition: str | None,
    ) -> "Wanted":
        """From the options. One's own name stands for the tenant of one's key, whatever that is called: of an operator's
        key too, which without a tenant would see everybody's."""
        tenant = client.whoami().tenant if me or (user is not None and user == user_name()) else user
        return cls(_words(job), tenant, _phases(state), _words(name), _words(partition))


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(one.strip() for one in text.split(",") if one.strip())


def _phases(state: str | None) -> "frozenset[Phase] | None":
    from suanwang.cli.show.slurm import STATES, phases_of

    words = _words(state)
    if words is None:
        return None
    found: set[Phase] = set()
    for word in words:
        phases = phases_of(word)
        if phases is None:
            known = ", ".join(["all", *STATES])
            raise typer.BadParameter(t("cli.squeue.state", got=word, known=known), param_hint="--states")
        found |= phases
    return frozenset(found)


def jobs_of(client: "Client", wanted: Wanted) -> Iterator["TaskView"]:
    """The jobs of a list, newest first, with their requests; so many that are wanted, however many are passed over."""
    from suanwang.model.record import ENDS

    if wanted.jobs is not None:
        return (one for one in map(client.task, wanted.jobs) if is_wanted(one, wanted))
    if wanted.phases is None or not wanted.phases & ENDS:
        return islice(live_of(client, wanted), JOBS_MAX)
    found = client.list(tenant=wanted.tenant, requests=True)
    return islice((one for one in found if is_wanted(one, wanted)), JOBS_MAX)


def live_of(client: "Client", wanted: Wanted) -> Iterator["TaskView"]:
    """All jobs that are live and wanted, newest first."""
    found = client.list(phase="live", tenant=wanted.tenant, requests=True)
    return (one for one in found if is_wanted(one, wanted))


def is_wanted(view: "TaskView", wanted: Wanted) -> bool:
    """Whether the options hold for a job."""
    from suanwang.cli.show.slurm import partition_of

    if wanted.tenant is not None and view.tenant != wanted.tenant:
        return False
    if wanted.phases is not None and view.phase not in wanted.phases:
        return False
    if wanted.names is not None and view.name not in wanted.names:
        return False
    return wanted.partitions is None or bool({partition_of(view), view.kind.value} & set(wanted.partitions))


def squeue(
    session: Session,
    jobs: Annotated[str | None, typer.Option("--jobs", "-j", help=t("cli.option.job_ids"))] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help=t("cli.option.job_user"))] = None,
    me: Annotated[bool, typer.Option("--me", help=t("cli.option.job_me"))] = False,
    states: Annotated[str | None, typer.Option("--states", "-t", help=t("cli.option.job_state"))] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help=t("cli.option.job_name"))] = None,
    partition: Annotated[str | None, typer.Option("--partition", "-p", help=t("cli.option.job_partition"))] = None,
    form: Annotated[str | None, typer.Option("--format", "-o", help=t("cli.option.job_format"))] = None,
    no_header: Annotated[bool, typer.Option("--noheader", "-h", help=t("cli.option.no_header"))] = False,
    long: Annotated[bool, typer.Option("--long", "-l", help=t("cli.option.job_long"))] = False,
    start: Annotated[bool, typer.Option("--start", help=t("cli.option.job_start"))] = False,
    all_: Annotated[bool, typer.Option("--all", "-a", help=t("cli.option.job_all"))] = False,
) -> Exit:
    from suanwang.cli.show import slurm as show

    words = form or (show.START if start else show.LONG if long else show.SHORT)
    columns = _columns(words, show.JOB_FIELDS)
    with session.client() as client:
        wanted = Wanted.of(client, jobs, user, me, states, name, partition)
        found = list(jobs_of(client, wanted))
        if session.as_json:
            session.document({"jobs": [show.job_document(one) for one in found]})
            return Exit.OK
        now_us = client.whoami().now_us
    if not no_header:
        sys.stdout.write(show.header(columns, show.JOB_FIELDS) + "\n")
    for one in sorted(found, key=lambda view: (show.rank(view), view.number)):
        sys.stdout.write(show.row(columns, partial(show.job_field, one, now_us)) + "\n")
    return Exit.OK


def _columns(words: str, fields: "dict[str, str]") -> "list[tuple[str, str]]":
    """Checked columns of a format."""
    from suanwang.cli.show.slurm import read_format

    columns = read_format(words)
    for _, letter in columns:
        if letter and letter not in fields:
            known = " ".join(f"%{one}" for one in fields)
            raise typer.BadParameter(t("cli.squeue.format", got=f"%{letter}", known=known), param_hint="--format")
    return columns


def sinfo(
    session: Session,
    partition: Annotated[str | None, typer.Option("--partition", "-p", help=t("cli.option.job_partition"))] = None,
    form: Annotated[str | None, typer.Option("--format", "-o", help=t("cli.option.pool_format"))] = None,
    no_header: Annotated[bool, typer.Option("--noheader", "-h", help=t("cli.option.no_header"))] = False,
    clusters: Annotated[str | None, typer.Option("--clusters", "-M", help=t("cli.option.pool_sites"))] = None,
) -> Exit:
    from suanwang.cli.show import slurm as show

    columns = _columns(form or show.POOLS, show.POOL_FIELDS)
    names, sites = _words(partition), _words(clusters)
    with session.client() as client:
        rows = show.pool_rows(client.grid(), client.panorama())
    rows = [one for one in rows if names is None or {one.name, one.pool.kind.value} & set(names)]
    rows = [one for one in rows if sites is None or one.site.id in sites]
    if session.as_json:
        session.document({"partitions": [show.pool_document(one) for one in rows]})
        return Exit.OK
    if not no_header:
        sys.stdout.write(show.header(columns, show.POOL_FIELDS) + "\n")
    for one in rows:
        sys.stdout.write(show.row(columns, partial(show.pool_field, one)) + "\n")
    return Exit.OK


def scontrol(
    session: Session, words: Annotated[list[str], typer.Argument(help=t("cli.arg.scontrol"), show_default=False)]
) -> Exit:
    from suanwang.cli.show.slurm import job_lines

    if len(words) not in (2, 3) or words[0] != "show" or words[1].partition("=")[0] not in ("job", "jobs", "jobid"):
        raise typer.BadParameter(t("cli.scontrol.what"), param_hint="WORDS")
    named = words[2] if len(words) == 3 else words[1].partition("=")[2]
    with session.client() as client:
        found = [client.task(one) for one in named.split(",")] if named else list(jobs_of(client, Wanted()))
    if session.as_json:
        session.document({"jobs": [one.model_dump(mode="json") for one in found]})
        return Exit.OK
    sys.stdout.write("\n\n".join(job_lines(one) for one in found) + "\n")
    return Exit.OK
