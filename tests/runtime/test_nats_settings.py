"""What is wrong with settings of a bus over NATS, and what lies in its folder."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from suanwang.bus.nkeys import KeyPair, Kind
from suanwang.model.bus import BusAsk
from suanwang.model.error import FaultsError, StoreError
from suanwang.model.ids import AgentId, KeyId, TenantId
from suanwang.model.principal import Principal, Role
from suanwang.runtime import nats_server
from suanwang.runtime.nats_desk import NatsDesk
from suanwang.runtime.nats_files import configure
from suanwang.runtime.nats_server import NatsServer
from suanwang.runtime.settings import Settings, check_together, read_settings

NOW_US = 1_800_000_000_000_000
DAY_US = 24 * 3_600 * 1_000_000
ACCOUNT, SIGNER = (KeyPair(Kind.ACCOUNT, bytes([at]) * 32) for at in (1, 2))
AGENT = Principal(key_id=KeyId("key-x"), tenant=TenantId("local"), role=Role.AGENT)


def codes(refused):
    return [fault.code for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"bus": "carrier-pigeon"}, ["bus_unknown"]),
        ({"bus": "nats", "nats_url": "tls://a:4222"}, ["nats_account_needed"]),
        ({"bus": "nats", "nats_url": "a:4222", "nats_account": "x"}, ["nats_url_form"]),
        ({"bus": "nats", "nats_url": "http://a", "nats_account": "x"}, ["nats_url_form"]),
        ({"bus": "nats", "nats_url": "tls://a:1, nats://b:2", "nats_account": "x"}, ["nats_plain"]),
    ],
)
def test_settings_that_cannot_be_are_named(tmp_path, given, expected):
    with pytest.raises(FaultsError) as refused:
        check_together(Settings(home=tmp_path, **given))
    assert codes(refused) == expected


def test_settings_of_the_bus_come_from_the_environment(tmp_path):
    given = {"BUS": "nats", "NATS_URL": "nats://localhost:1", "NATS_ACCOUNT": "f", "NATS_CA": "c", "NATS_REPLICAS": "3"}
    found = read_settings({f"SUANWANG_{name}": value for name, value in given.items()}, home=tmp_path)
    assert (found.bus, found.nats_url, found.nats_account) == ("nats", "nats://localhost:1", "f")
    assert (found.nats_ca, found.nats_replicas) == ("c", 3)
    check_together(found)


@pytest.mark.parametrize("text", ["", "nonsense", KeyPair(Kind.USER, bytes(32)).seed, f"{ACCOUNT.seed} nonsense"])
def test_a_file_that_is_no_account_is_refused(tmp_path, text):
    file = tmp_path / "account"
    file.write_text(text)
    settings = Settings(home=tmp_path, bus="nats", nats_url="tls://a:1", nats_account=str(file))
    with pytest.raises(FaultsError) as refused:
        NatsDesk(settings, None)
    assert codes(refused) == ["nats_account_form"]


def test_a_cluster_of_the_operators_gets_users_by_its_account(tmp_path):
    file, ca = tmp_path / "account", tmp_path / "ca.pem"
    file.write_text(f"{SIGNER.seed}\n{ACCOUNT.public}\n")
    ca.write_text("PEM")
    given = {"nats_url": "tls://a:1,tls://b:2", "nats_account": str(file), "nats_ca": str(ca)}
    desk = NatsDesk(Settings(home=tmp_path, bus="nats", **given), None)
    user = KeyPair(Kind.USER, bytes(32)).public
    told = desk.tell(AGENT, AgentId("a.b"), BusAsk(public_nkey=user))
    assert (told.servers, told.authority, told.key_id) == (("tls://a:1", "tls://b:2"), "PEM", "key-x")
    assert told.jwt.count(".") == 2
    assert desk.tell(AGENT, AgentId("a"), BusAsk()).jwt == ""
    with pytest.raises(FaultsError) as refused:
        desk.tell(AGENT, AgentId("a"), BusAsk(public_nkey=user[:-1]))
    assert codes(refused) == ["nkey_form"]


def test_the_folder_is_private_and_is_kept_until_something_changes(tmp_path):
    folder = tmp_path / "nats"
    hosts = ("127.0.0.1", "localhost")
    assert configure(folder, "127.0.0.1", 4222, hosts, NOW_US)
    assert not configure(folder, "127.0.0.1", 4222, hosts, NOW_US + DAY_US)
    before = (folder / "identities.json").read_text()
    assert configure(folder, "127.0.0.1", 4223, hosts, NOW_US)
    assert configure(folder, "127.0.0.1", 4223, (*hosts, "brain.example"), NOW_US)
    assert configure(folder, "127.0.0.1", 4223, (*hosts, "brain.example"), NOW_US + 380 * DAY_US)  # it would run out
    assert (folder / "identities.json").read_text() == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert json.loads((folder / "server.json").read_text())["port"] == 4223
    made = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "brain.example"]


def test_a_port_that_is_taken_is_said(tmp_path, monkeypatch):
    import socket

    monkeypatch.setattr(nats_server, "START_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = NatsServer(Settings(home=tmp_path, bus="nats", nats_port=taken.getsockname()[1]))
        with pytest.raises(StoreError) as refused:
            server.start()
    assert refused.value.code == "nats_not_started"
    assert server.pid is None


def test_a_host_without_the_program_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(nats_server.sys, "executable", "/nowhere/python")
    monkeypatch.setattr(nats_server.shutil, "which", lambda name: None)
    with pytest.raises(FaultsError) as refused:
        NatsServer(Settings(home=tmp_path))
    assert codes(refused) == ["nats_server_missing"]


def test_a_host_without_the_client_is_told_what_to_install(tmp_path, monkeypatch):
    from suanwang.runtime import app

    monkeypatch.setitem(__import__("sys").modules, "suanwang.runtime.nats_desk", None)
    with pytest.raises(FaultsError) as refused:
        app.nats_desk(replace(Settings(home=Path(tmp_path)), bus="nats"), None)
    assert codes(refused) == ["nats_missing"]
