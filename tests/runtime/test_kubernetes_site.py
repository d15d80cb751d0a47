"""The operator's file of the Kubernetes adapter, and the kubeconfig: every fault that they can have."""

import base64
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.plan.worlds import general, grid_of, site_of

from suanwang.agent.adapter import Limit
from suanwang.model.error import BackendError, FaultsError
from suanwang.model.grid import Pool, PoolKind
from suanwang.model.joining import FoundPool, Inventory
from suanwang.runtime import join_main, kubeconfig
from suanwang.runtime.join_main import Talk, Wish
from suanwang.runtime.kubeconfig import connect, read_kubeconfig
from suanwang.runtime.kubernetes_site import (
    KubernetesFile,
    discover_kubernetes,
    kubernetes_file_of,
    read_kubernetes_file,
)
from suanwang.runtime.settings import Settings
from suanwang.texts import languages, text

CARDS = Pool(
    id="c/cards",
    kind=PoolKind.AI,
    nodes=1,
    cores_per_node=8,
    memory_bytes_per_node=2**31,
    accelerator_model="a100",
    accelerators_per_node=2,
)
GRID = grid_of([site_of("c", [general("c"), CARDS]), site_of("other", [general("other")])], [])
GOOD = """
folder: /shared/suanwang
volume: {claim: shared}
user: 1001
enforces: [network]
images: ["registry.example/*"]
pools:
  c/general: {namespace: grid, image: "base:1", priority_class: low}
  c/cards: {image: "base:1", resource: nvidia.com/gpu, node_selector: {pool: cards}}
"""


def said_in_every_language(error: FaultsError) -> None:
    for fault in error.faults:
        for lang in languages():
            said = text(f"fault.{fault.code}", lang, where=fault.where, got=fault.got, **fault.params)
            assert "{" not in said
            assert said != f"fault.{fault.code}"


def read(folder: Path, body: str) -> KubernetesFile:
    file = folder / "kubernetes.yaml"
    file.write_text(body)
    return read_kubernetes_file(Settings(home=folder, kubernetes_file=str(file)), GRID, ("c",))


def faults(folder: Path, body: str) -> list[tuple[str, str, int | None]]:
    with pytest.raises(FaultsError) as error:
        read(folder, body)
    said_in_every_language(error.value)
    return [(one.code, one.where, one.line) for one in error.value.faults]


def test_a_good_file(tmp_path):
    file = read(tmp_path, GOOD)
    assert (file.enforces, file.pools["c/cards"].resource) == ((Limit.NETWORK,), "nvidia.com/gpu")
    assert file.volume.source() == {"persistentVolumeClaim": {"claimName": "shared"}}


def test_every_misfit_is_said_at_once_with_its_line(tmp_path):
    body = """
folder: /shared
volume: {claim: shared, host_path: /shared}
user: 1001
pools:
  c/cards: {image: "base:1"}
  other/general: {}
"""
    assert faults(tmp_path, body) == [
        ("kubernetes_volume", "volume", 3),
        ("kubernetes_pool_missing", "pools", 5),
        ("kubernetes_resource_missing", "pools.c/cards", 6),
        ("kubernetes_pool_unknown", "pools.other/general", 7),
    ]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("user: 1001", "user: 0", "user"),
        ("user: 1001", "user: root", "user"),
        ("namespace: grid", "namespace: Grid_1", "pools.c/general.namespace"),
        ("folder: /shared/suanwang", "folder: shared", "folder"),
        ("enforces: [network]", "enforces: [magic]", "enforces[0]"),
    ],
)
def test_forms(tmp_path, old, new, where):
    assert where in [one[1] for one in faults(tmp_path, GOOD.replace(old, new))]


def test_who_is_not_root_runs_work_as_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1002)
    assert [one[:2] for one in faults(tmp_path, GOOD)] == [("kubernetes_user_wrong", "user")]
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    assert read(tmp_path, GOOD).user == 1001


@pytest.fixture(autouse=True)
def as_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_a_file_that_is_not_there(tmp_path):
    for path, code in (("", "kubernetes_file_needed"), (str(tmp_path / "none"), "kubernetes_file_unread")):
        with pytest.raises(FaultsError) as error:
            read_kubernetes_file(Settings(home=tmp_path, kubernetes_file=path), GRID, ("c",))
        said_in_every_language(error.value)
        assert error.value.faults[0].code == code


def test_the_file_of_a_cluster_that_joins_is_one_that_can_be_read():
    pools = (
        FoundPool(name="general", kind=PoolKind.GENERAL, nodes=1, cores_per_node=1, queue="size=big"),
        FoundPool(name="a100", kind=PoolKind.AI, nodes=1, accelerators_per_node=1, resource="nvidia.com/gpu"),
    )
    made = kubernetes_file_of(
        "c", Inventory(adapter="kubernetes", pools=pools), 1001, "/shared", "base:1", "/etc/kc", ["network"]
    )
    file = KubernetesFile.model_validate(yaml.safe_load(made))
    assert file.pools["c/general"].node_selector == {"size": "big"}
    assert file.pools["c/a100"].tolerations[0].key == "nvidia.com/gpu"
    assert (file.user, file.volume.host_path, file.kubeconfig) == (1001, "/shared", "/etc/kc")


# The kubeconfig -----------------------------------------------------------------------------------------------------


def config(folder: Path, **changes) -> Path:
    found = {
        "clusters": [{"name": "town", "cluster": {"server": "https://127.0.0.1:6443/"}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
        "contexts": [{"name": "here", "context": {"cluster": "town", "user": "me", "namespace": "grid"}}],
        "current-context": "here",
        **changes,
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(found))
    return path


def test_a_kubeconfig(tmp_path):
    found = read_kubeconfig(config(tmp_path))
    assert (found.server, found.namespace) == ("https://127.0.0.1:6443", "grid")
    assert found.headers == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(found)


def test_a_client_certificate_in_the_file_and_beside_it(tmp_path):
    names = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=me", "-days", "1", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", *names], cwd=tmp_path, check=True, capture_output=True
    )
    cert, key = (base64.b64encode((tmp_path / name).read_bytes()).decode() for name in ("cert.pem", "key.pem"))
    inside = {"client-certificate-data": cert, "client-key-data": key}
    beside = {"client-certificate": "cert.pem", "client-key": "key.pem"}
    for user in (inside, beside):
        cluster = {"server": "https://127.0.0.1:1", "certificate-authority-data": cert}
        found = config(tmp_path, users=[{"name": "me", "user": user}], clusters=[{"name": "town", "cluster": cluster}])
        assert read_kubeconfig(found).verify is not True


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"current-context": "there"}, "kubeconfig_lacks"),
        ({"users": []}, "kubeconfig_lacks"),
        ({"clusters": [{"name": "town", "cluster": {}}]}, "kubeconfig_form"),
        ({"users": [{"name": "me", "user": {"exec": {"command": "aws"}}}]}, "kubeconfig_exec"),
        ({"users": [{"name": "me", "user": {"client-certificate": "none", "client-key": "none"}}]}, "kubeconfig_form"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(tmp_path, changes, code):
    with pytest.raises(FaultsError) as error:
        read_kubeconfig(config(tmp_path, **changes))
    said_in_every_language(error.value)
    assert [one.code for one in error.value.faults] == [code]


def test_which_kubeconfig_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", f":{tmp_path}/none:{tmp_path}/other")
    with pytest.raises(FaultsError) as error:
        connect("")
    assert (error.value.faults[0].code, error.value.faults[0].got) == ("kubeconfig_unread", f"{tmp_path}/none")
    (tmp_path / "broken").write_text("a: [")
    with pytest.raises(FaultsError) as error:
        connect(str(tmp_path / "broken"))
    assert error.value.faults[0].code == "kubeconfig_form"


def test_inside_a_pod_its_own_account_is_used(tmp_path, monkeypatch):
    names = ["-keyout", "key.pem", "-out", "ca.crt", "-subj", "/CN=ca", "-days", "1", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", *names], cwd=tmp_path, check=True, capture_output=True
    )
    (tmp_path / "token").write_text("a token\n")
    (tmp_path / "namespace").write_text("grid\n")
    monkeypatch.setattr(kubeconfig, "IN_POD", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    found = connect("")
    assert (found.server, found.namespace, found.token_file) == ("https://[fd00::1]:443", "grid", f"{tmp_path}/token")


# Joining ------------------------------------------------------------------------------------------------------------


def test_what_a_cluster_needs_to_join_is_said_at_once(tmp_path):
    own = Settings(home=tmp_path, url="http://127.0.0.1:1", adapter="kubernetes")
    talk = Talk(lambda key, values: None, bool, print)
    for wish, codes in (
        (Wish(site="annex"), ["kubernetes_join_needs"] * 3),
        (Wish(site="annex", user="root", shared_folder="/s", image="b:1"), ["kubernetes_user_form"]),
        (Wish(site="annex", user="0", shared_folder="/s", image="b:1"), ["kubernetes_user_form"]),
    ):
        with pytest.raises(FaultsError) as refused:
            join_main.run(own, "token", wish, talk)
        said_in_every_language(refused.value)
        assert [one.code for one in refused.value.faults] == codes


def test_a_server_that_is_away_is_said(tmp_path):
    cluster = {"server": "http://127.0.0.1:1"}
    path = config(tmp_path, clusters=[{"name": "town", "cluster": cluster}])
    with pytest.raises(BackendError):
        discover_kubernetes(Settings(home=tmp_path, kubeconfig=str(path)))
