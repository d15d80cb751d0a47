"""join: bring a backend into a grid. site token, requests, approve, refuse: the operator's side of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli import site_orders
from suanwang.cli.command import command, group
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.model.joining import JoinAsk, JoinView

JoinArgument = Annotated[str, typer.Argument(help=t("cli.arg.join"), show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register `join` and `site ...`."""
    command(app, "join", brain=False)(join)
    site = group("site")
    command(site, "token")(token)
    command(site, "requests")(requests)
    command(site, "approve")(approve)
    command(site, "refuse")(refuse)
    command(site, "check")(check)
    site_orders.add_to(site)
    app.add_typer(site)


def _option(name: str, key: str) -> Any:
    return typer.Option(f"--{name}", help=t(f"cli.option.join.{key}"), show_default=False)


def join(
    session: Session,
    brain: Annotated[str | None, _option("brain", "brain")] = None,
    token: Annotated[str | None, _option("token", "token")] = None,
    adapter: Annotated[str, typer.Option("--adapter", help=t("cli.option.adapter"))] = "local",
    name: Annotated[str | None, _option("name", "name")] = None,
    owner: Annotated[str | None, _option("owner", "owner")] = None,
    near: Annotated[str | None, _option("near", "near")] = None,
    region: Annotated[str | None, _option("region", "region")] = None,
    city: Annotated[str | None, _option("city", "city")] = None,
    latitude: Annotated[float | None, _option("latitude", "latitude")] = None,
    longitude: Annotated[float | None, _option("longitude", "longitude")] = None,
    security_level: Annotated[
        int | None,
        typer.Option("--security-level", min=1, max=5, help=t("cli.option.join.security_level"), show_default=False),
    ] = None,
    price: Annotated[
        int, typer.Option("--price-permille", min=1, max=100_000, help=t("cli.option.join.price"))
    ] = 1_000,
    user: Annotated[str | None, _option("user", "user")] = None,
    shared_folder: Annotated[str | None, _option("shared-folder", "shared_folder")] = None,
    image: Annotated[str | None, _option("image", "image")] = None,
    enforces: Annotated[
        list[str] | None, typer.Option("--enforces", help=t("cli.option.join.enforces"), show_default=False)
    ] = None,
    tes_url: Annotated[str, _option("tes-url", "tes_url")] = "",
    tes_image: Annotated[str, _option("tes-image", "tes_image")] = "",
    tes_storage: Annotated[str, _option("tes-storage", "tes_storage")] = "",
    tes_token_file: Annotated[str, _option("tes-token-file", "tes_token_file")] = "",
    tes_images: Annotated[list[str] | None, _option("tes-takes-image", "tes_images")] = None,
    tes_network: Annotated[bool, typer.Option("--tes-has-network", help=t("cli.option.join.tes_network"))] = False,
    nodes: Annotated[
        int, typer.Option("--nodes", min=0, max=10**6, help=t("cli.option.join.nodes"), show_default=False)
    ] = 0,
    cores: Annotated[
        int, typer.Option("--cores", min=0, max=100_000, help=t("cli.option.join.cores"), show_default=False)
    ] = 0,
    memory: Annotated[str, _option("memory", "memory")] = "",
    qubits: Annotated[
        int, typer.Option("--qubits", min=0, max=100_000, help=t("cli.option.join.qubits"), show_default=False)
    ] = 0,
    ray_url: Annotated[str, _option("ray-url", "ray_url")] = "",
    ray_token_file: Annotated[str, _option("ray-token-file", "ray_token_file")] = "",
    home: Annotated[Path | None, typer.Option("--home", help=t("cli.option.home"), show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=t("cli.option.join.yes"))] = False,
) -> int:
    import os
    import socket

    from suanwang.cli.session import quiet_logs
    from suanwang.runtime.join_main import Wish, run
    from suanwang.runtime.quantum_site import QuantumWish
    from suanwang.runtime.ray_site import RayWish
    from suanwang.runtime.tes_site import TesWish

    quiet_logs()
    session.home = home
    settings = session.settings(url=brain, adapter=adapter)
    site = name or socket.gethostname().partition(".")[0].lower()
    wish = Wish(
        site=site,
        owner=owner,
        near=near,
        region=region,
        city=city,
        latitude=latitude,
        longitude=longitude,
        security_level=security_level,
        price_permille=price,
        user=user,
        shared_folder=shared_folder,
        image=image,
        enforces=tuple(enforces or ()),
        tes=TesWish(
            url=tes_url,
            image=tes_image,
            storage=tes_storage,
            token_file=tes_token_file,
            images=tuple(tes_images or ()),
            network=tes_network,
            nodes=nodes,
            cores=cores,
            memory_bytes=_bytes(memory),
        ),
        ray=RayWish(url=ray_url, token_file=ray_token_file),
        quantum=QuantumWish(processors=nodes, qubits=qubits),
    )
    secret = token or os.environ.get("SUANWANG_JOIN_TOKEN", "")
    return run(settings, secret, wish, _talk(session, yes))


def _bytes(text: str) -> int:
    """`16 GiB`; 0 for nothing. Raises FaultsError."""
    from pydantic import TypeAdapter, ValidationError

    from suanwang.model.error import Fault, FaultsError
    from suanwang.model.units import Bytes

    try:
        return int(TypeAdapter(Bytes).validate_python(text)) if text else 0
    except ValidationError as error:
        raise FaultsError([Fault("join_memory_form", "--memory", text)], "join") from error


def _talk(session: Session, yes: bool) -> Any:
    from suanwang.cli.show.joins import show_ask, show_joining
    from suanwang.runtime.join_main import Talk

    def say(key: str, values: dict[str, Any]) -> None:
        if session.as_json:
            session.row({"step": key.rpartition(".")[2], **values})
        else:
            session.console.print(t(key, **values), soft_wrap=True)

    def agree(ask: "JoinAsk") -> bool:
        if session.as_json:
            session.row({"step": "ask", "ask": ask.model_dump(mode="json", exclude={"secret_blake3"})})
        else:
            show_ask(session.console, ask)
        return yes or typer.confirm(t("cli.join.agree"), default=False)

    def proposed(view: "JoinView") -> None:
        if session.as_json:
            session.row(
                {"step": "proposed", "join_id": view.join_id, "proposed": view.proposed.model_dump(mode="json")}
            )
        else:
            show_joining(session.console, view.proposed)

    return Talk(say, agree, proposed)


def token(session: Session) -> None:
    with session.client() as client:
        issued = client.issue_key("local", "joiner", note="join")
        url = client.url
    if session.as_json:
        session.document({"key_id": issued.key_id, "token": issued.key})
        return
    session.console.print(issued.key, style="bold green", soft_wrap=True)
    session.console.print(t("cli.site.token", url=url, token=issued.key), style="dim", soft_wrap=True)


def requests(
    session: Session, every: Annotated[bool, typer.Option("--all", help=t("cli.option.join.all"))] = False
) -> None:
    from suanwang.model.joining import JoinState

    with session.client() as client:
        found = [one for one in client.joins() if every or one.state is JoinState.WAITING]
    if session.as_json:
        session.document({"items": [one.model_dump(mode="json") for one in found]})
        return
    from suanwang.cli.show.joins import show_requests

    show_requests(session.console, found)


def approve(
    session: Session,
    join_id: JoinArgument,
    security_level: Annotated[
        int | None,
        typer.Option("--security-level", min=1, max=5, help=t("cli.option.join.security_level"), show_default=False),
    ] = None,
    price: Annotated[
        int, typer.Option("--price-permille", min=1, max=100_000, help=t("cli.option.join.price"))
    ] = 1_000,
    owner: Annotated[str | None, _option("owner", "owner_set")] = None,
    near: Annotated[str | None, _option("near", "near")] = None,
    mbps: Annotated[
        int | None, typer.Option("--mbps", min=1, help=t("cli.option.join.mbps"), show_default=False)
    ] = None,
    latency_us: Annotated[
        int | None, typer.Option("--latency-us", min=0, help=t("cli.option.join.latency"), show_default=False)
    ] = None,
) -> None:
    from suanwang.model.ids import SiteId
    from suanwang.model.joining import JoinTerms

    terms = JoinTerms(
        security_level=security_level,
        owner=owner,
        price_permille=price,
        near=SiteId(near) if near else None,
        capacity_bps=mbps * 1_000_000 if mbps else None,
        latency_us=latency_us,
    )
    with session.client() as client:
        view = client.approve_join(join_id, terms)
    _decided(session, view, "cli.site.approved")


def refuse(
    session: Session,
    join_id: JoinArgument,
    why: Annotated[str, typer.Option("--why", help=t("cli.option.join.why"))] = "",
) -> None:
    with session.client() as client:
        view = client.refuse_join(join_id, why)
    _decided(session, view, "cli.site.refused")


def check(
    session: Session, site: Annotated[str, typer.Argument(help=t("cli.arg.join_site"), show_default=False)]
) -> None:
    with session.client() as client:
        task_id = client.check_site(site)
    if session.as_json:
        session.document({"task_id": task_id})
    else:
        session.console.print(t("cli.site.checking", task=task_id))


def _decided(session: Session, view: "JoinView", key: str) -> None:
    if session.as_json:
        session.document(view)
        return
    from suanwang.cli.show.forms import done
    from suanwang.cli.show.joins import show_joining
    from suanwang.model.joining import JoinState

    if view.state is JoinState.APPROVED:
        show_joining(session.console, view.proposed)
    session.console.print(done(t(key, site=view.ask.site)))
