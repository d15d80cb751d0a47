"""`suanwang join`: a backend becomes a site of somebody's grid, from a clean host to the first task.

Found, measured, shown, written down, asked, approved by an operator, served. Each step is kept in the agent's folder, so that the
same command goes on where it was: before the answer it asks for the same again, after it it serves and needs no token.
"""

import json
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import httpx
from blake3 import blake3
from pydantic import TypeAdapter, ValidationError

from suanwang.agent.adapter import Limit
from suanwang.agent.measure import measure_host
from suanwang.agent.probe import prove_here
from suanwang.bus.http import checked
from suanwang.intent.document import parse
from suanwang.intent.read import validate
from suanwang.model.error import ConflictError, Fault, FaultsError, NotAllowedError, UnreachableError
from suanwang.model.ids import AgentId, SiteId
from suanwang.model.joining import Inventory, JoinAsk, JoinState, JoinView, Measured, SiteName, prices_at
from suanwang.runtime import agent_main, clock
from suanwang.runtime.adapters import discover
from suanwang.runtime.ids import new_secret
from suanwang.runtime.join_prices import prices_of
from suanwang.runtime.kubeconfig import find_kubeconfig
from suanwang.runtime.kubernetes_site import kubernetes_file_of
from suanwang.runtime.measure_way import measure_way
from suanwang.runtime.private import write_private
from suanwang.runtime.quantum_site import QuantumWish
from suanwang.runtime.ray_site import RayWish, ray_file_of
from suanwang.runtime.settings import Settings
from suanwang.runtime.slurm_site import slurm_file_of
from suanwang.runtime.tes_site import TesWish, tes_file_of

POLL_S: Final = 1.0
TIMEOUT_S: Final = 60.0
RETRY_S: Final = 2.0
# What a site has to hold tasks to before it claims the second security level.
LEVEL_TWO: Final = frozenset({Limit.FILES, Limit.USER, Limit.NETWORK, Limit.MEMORY, Limit.CPU})
_SITE: Final = TypeAdapter(SiteName)


@dataclass(frozen=True)
class Wish:
    """What the person at the site said."""

    site: str
    name: str | None = None
    owner: str | None = None
    near: str | None = None
    region: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    security_level: int | None = None
    price_permille: int = 1_000
    user: str | None = None  # Slurm, Kubernetes, Ray: whom work runs as; of Kubernetes the number
    image: str | None = None  # Kubernetes: of tasks that name none
    enforces: tuple[str, ...] = ()  # limits that the site keeps by other means
    shared_folder: str | None = None  # Slurm, Kubernetes, Ray: a folder that every node sees
    tes: TesWish = field(default_factory=TesWish)  # TES: what the server cannot tell
    ray: RayWish = field(default_factory=RayWish)  # Ray: where its head is
    quantum: QuantumWish = field(default_factory=QuantumWish)  # quantum: the size of its device


@dataclass(frozen=True)
class Talk:
    """How to speak with that person. `agree` sees the whole request before anything is sent."""

    say: Callable[[str, dict[str, Any]], None]
    agree: Callable[[JoinAsk], bool]
    proposed: Callable[[JoinView], None]


class JoinPaths:
    """What is kept of a join, in the agent's folder."""

    def __init__(self, home: Path, site: str) -> None:
        self.agent = AgentId(f"agent-{site}")
        self.folder = home / "agents" / self.agent
        self.asked = self.folder / "join.json"  # the request and the secret
        self.joined = self.folder / "joined.json"  # how to serve
        self.slurm = self.folder / "slurm.yaml"
        self.kubernetes = self.folder / "kubernetes.yaml"
        self.tes = self.folder / "tes.yaml"
        self.ray = self.folder / "ray.yaml"


def run(settings: Settings, token: str, wish: Wish, talk: Talk) -> int:
    """Join and serve until a signal; the exit status. Raises FaultsError for what is missing or wrong, NotAllowedError where the
    operator has refused, UnreachableError where no brain answers."""
    paths = JoinPaths(settings.home, wish.site)
    if not paths.joined.exists():
        _check(settings, token, wish)
        paths.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=settings.url, headers=headers, timeout=TIMEOUT_S) as client:
            if not _join(settings, client, wish, talk, paths):
                return 0
    return serve(settings, wish.site, talk)


def serve(settings: Settings, site: str, talk: Talk) -> int:
    """Serve a site that has joined."""
    paths = JoinPaths(settings.home, site)
    held = json.loads(paths.joined.read_text())
    talk.say("cli.join.serving", {"site": site, "url": held["url"]})
    files = {name: held.get(name, "") for name in ("slurm_file", "kubernetes_file", "tes_file", "ray_file")}
    own = replace(settings, url=held["url"], key=held["key"], adapter=held["adapter"], **files)
    return agent_main.run(own, paths.agent, (site,), emulated=False)


def _check(settings: Settings, token: str, wish: Wish) -> None:
    faults = [Fault("join_needs", where) for where, got in (("--brain", settings.url), ("--token", token)) if not got]
    try:
        _SITE.validate_python(wish.site)
    except ValidationError:
        faults.append(Fault("join_site_form", "--name", wish.site))
    known = ", ".join(Limit)
    faults += [
        Fault("join_limit", "--enforces", one, None, {"known": known})
        for one in wish.enforces
        if one not in list(Limit)
    ]
    if settings.adapter == "slurm" and not settings.slurm_file:
        faults += _slurm_faults(wish)
    if settings.adapter == "kubernetes" and not settings.kubernetes_file:
        faults += _kubernetes_faults(wish)
    if settings.adapter == "tes":
        faults += wish.tes.missing()
    if settings.adapter == "ray":
        faults += wish.ray.faults(wish.shared_folder, wish.user)
    if faults:
        raise FaultsError(faults, "join")
    nothing = Inventory(adapter=settings.adapter, pools=())
    ask_of(wish, AgentId("agent"), nothing, Measured(), "")  # what was said wrongly is said before anything is measured


def _slurm_faults(wish: Wish) -> list[Fault]:
    root = os.geteuid() == 0
    if root and wish.user is None:
        return [Fault("slurm_user_needed", "--user")]
    if wish.user is None:
        return []
    try:
        uid = pwd.getpwnam(wish.user).pw_uid
    except KeyError:
        return [Fault("slurm_user_unknown", "--user", wish.user)]
    return [Fault("slurm_user_wrong", "--user", wish.user)] if uid == 0 else []


def _kubernetes_faults(wish: Wish) -> list[Fault]:
    asked = (("--user", wish.user), ("--shared-folder", wish.shared_folder), ("--image", wish.image))
    faults = [Fault("kubernetes_join_needs", where) for where, got in asked if not got]
    if wish.user and not (wish.user.isdecimal() and 0 < int(wish.user) < 2**31):
        faults.append(Fault("kubernetes_user_form", "--user", wish.user))
    return faults


def _join(settings: Settings, client: httpx.Client, wish: Wish, talk: Talk, paths: JoinPaths) -> bool:
    """True when the operator has let us in; False where the person here did not agree."""
    sent_before = False
    if paths.asked.exists():
        kept = json.loads(paths.asked.read_text())
        ask, secret = JoinAsk.model_validate(kept["ask"]), str(kept["secret"])
        sent_before = kept.get("sent", True)
        talk.say("cli.join.again", {"site": ask.site})
    else:
        secret = new_secret()
        ask = _find_out(settings, client, wish, talk, secret, paths)
        if not talk.agree(ask):
            return False
        _write_asked(paths, ask, secret, sent=False)
    view = _send_once(client, ask, secret, sent_before, paths)
    talk.proposed(view)
    talk.say("cli.join.waits", {"join": view.join_id})
    while view.state is JoinState.WAITING:
        clock.pause(POLL_S)
        view = _look(client, view)
    if view.state is JoinState.REFUSED:
        paths.asked.unlink()
        raise NotAllowedError("join_refused", site=view.ask.site, why=view.why or "-")
    _keep(settings, view, wish, secret, paths)
    talk.say("cli.join.approved", {"site": view.ask.site})
    return True


def _write_asked(paths: JoinPaths, ask: JoinAsk, secret: str, sent: bool) -> None:
    write_private(paths.asked, json.dumps({"ask": ask.model_dump(mode="json"), "secret": secret, "sent": sent}))


def _send_once(client: httpx.Client, ask: JoinAsk, secret: str, sent_before: bool, paths: JoinPaths) -> JoinView:
    """Ask. The secret of a request that may wait somewhere is never thrown away: its key would be good for nobody.

    It waits nowhere where the brain has found faults in it, which it looks for last, or where it was never sent before.
    """
    _write_asked(paths, ask, secret, sent=True)
    try:
        return _send(client, ask)
    except FaultsError:
        paths.asked.unlink()  # so that it can be said otherwise
        raise
    except (ConflictError, NotAllowedError):
        if not sent_before:
            paths.asked.unlink()
        raise


def _find_out(
    settings: Settings, client: httpx.Client, wish: Wish, talk: Talk, secret: str, paths: JoinPaths
) -> JoinAsk:
    talk.say("cli.join.looks", {"adapter": settings.adapter})
    inventory = discover(settings, paths.folder, wish.enforces, wish.tes, wish.ray, wish.quantum)
    if not inventory.pools:
        raise FaultsError([Fault("join_nothing", "adapter", settings.adapter)], "join")
    talk.say("cli.join.measures", {})
    here = measure_host(paths.folder, clock.monotonic_us)
    proof = prove_here(1)
    way = measure_way(client, clock.monotonic_us)
    measured = here.model_copy(update={name: getattr(way, name) for name in ("rtt_us", "up_bps", "down_bps")})
    measured = measured.model_copy(update={"core_loops_s": proof.core_loops_s if proof is not None else 0})
    return ask_of(wish, paths.agent, inventory, measured, secret)


def ask_of(wish: Wish, agent: AgentId, inventory: Inventory, measured: Measured, secret: str) -> JoinAsk:
    """The request: what was found and measured, and what is proposed. Raises FaultsError for what the person said wrongly."""
    site = SiteId(wish.site)
    sure = {Limit(one) for one in inventory.limits} >= LEVEL_TWO
    said = {name: getattr(wish, name) for name in ("near", "region", "city", "latitude", "longitude")}
    made = {
        "site": site,
        "name": wish.name or wish.site,
        "agent": agent,
        "secret_blake3": blake3(secret.encode()).hexdigest(),
        "owner": wish.owner or wish.site,
        "security_level": wish.security_level or (2 if sure else 1),
        "prices": prices_at(prices_of(site, inventory.pools), wish.price_permille),
        "inventory": inventory.model_dump(mode="json"),
        "measured": measured.model_dump(mode="json"),
        "version": version("suanwang"),
        **{name: value for name, value in said.items() if value is not None},
    }
    return validate(JoinAsk, parse(json.dumps(made), "join"))


def _send(client: httpx.Client, ask: JoinAsk) -> JoinView:
    body, headers = ask.model_dump_json().encode(), {"Content-Type": "application/json"}
    try:
        answer = client.post("/v1/joins", content=body, headers=headers)
    except httpx.TransportError as error:
        raise UnreachableError(address=str(client.base_url), cause=type(error).__name__) from error
    if answer.status_code == FaultsError.status:
        faults = [Fault(one["code"], one["where"], one["got"], None, one["params"]) for one in answer.json()["faults"]]
        raise FaultsError(faults, "join")
    if answer.status_code == ConflictError.status and answer.json().get("code") == "join_site_taken":
        raise ConflictError("join_site_taken", site=ask.site)
    return JoinView.model_validate_json(checked(answer).content)


def _look(client: httpx.Client, view: JoinView) -> JoinView:
    """How it stands; a brain that is away for a while is waited for."""
    try:
        return JoinView.model_validate_json(checked(client.get(f"/v1/joins/{view.join_id}")).content)
    except (httpx.TransportError, UnreachableError):
        clock.pause(RETRY_S)
        return view


def _keep(settings: Settings, view: JoinView, wish: Wish, secret: str, paths: JoinPaths) -> None:
    held = {"url": settings.url, "key": f"sw_{view.key_id}_{secret}", "adapter": settings.adapter}
    if settings.adapter == "slurm":
        held["slurm_file"] = settings.slurm_file or str(paths.slurm)
        if not settings.slurm_file:  # an operator's own file stands
            write_private(
                paths.slurm, slurm_file_of(wish.site, view.ask.inventory, wish.user, wish.shared_folder, wish.enforces)
            )
    if settings.adapter == "kubernetes":
        held["kubernetes_file"] = settings.kubernetes_file or str(paths.kubernetes)
        if not settings.kubernetes_file:
            write_private(paths.kubernetes, _kubernetes_file(settings, view, wish))
    if settings.adapter == "tes":
        held["tes_file"] = str(paths.tes)
        write_private(paths.tes, tes_file_of(wish.site, wish.tes, wish.enforces))
    if settings.adapter == "ray":
        held["ray_file"] = settings.ray_file or str(paths.ray)
        if not settings.ray_file:
            file = ray_file_of(wish.site, wish.ray, view.ask.inventory, wish.shared_folder, wish.user, wish.enforces)
            write_private(paths.ray, file)
    write_private(paths.joined, json.dumps(held))
    paths.asked.unlink()


def _kubernetes_file(settings: Settings, view: JoinView, wish: Wish) -> str:
    assert wish.user and wish.shared_folder and wish.image, "looked for before anything was asked"
    config = find_kubeconfig(settings.kubeconfig)
    kubeconfig = str(config.absolute()) if config is not None else ""
    inventory = view.ask.inventory
    return kubernetes_file_of(
        wish.site, inventory, int(wish.user), wish.shared_folder, wish.image, kubeconfig, wish.enforces
    )
