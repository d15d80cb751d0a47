"""Every setting is read from its variable, in its form; wrong values are all named at once."""

from pathlib import Path

import pytest

from suanwang.model.error import FaultsError
from suanwang.runtime.app import serving
from suanwang.runtime.settings import SETTINGS, check_together, read_settings

# variable, text, field, value
READ = [
    ("SUANWANG_HOME", "/srv/suanwang", "home", Path("/srv/suanwang")),
    ("SUANWANG_STORE_URL", "sqlite:////srv/x.db", "store_url", "sqlite:////srv/x.db"),
    ("SUANWANG_GRID", "mine.yaml", "grid", "mine.yaml"),
    ("SUANWANG_HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("SUANWANG_PORT", "0", "port", 0),
    ("SUANWANG_BUS", "nats", "bus", "nats"),
    ("SUANWANG_NATS_URL", "tls://a:1", "nats_url", "tls://a:1"),
    ("SUANWANG_NATS_HOST", "bus.example", "nats_host", "bus.example"),
    ("SUANWANG_NATS_PORT", "0", "nats_port", 0),
    ("SUANWANG_NATS_ACCOUNT", "/etc/account", "nats_account", "/etc/account"),
    ("SUANWANG_NATS_CA", "/etc/ca.pem", "nats_ca", "/etc/ca.pem"),
    ("SUANWANG_NATS_REPLICAS", "3", "nats_replicas", 3),
    ("SUANWANG_HEARTBEAT_LOST_S", "5", "heartbeat_lost_s", 5),
    ("SUANWANG_ADAPTER", "slurm", "adapter", "slurm"),
    ("SUANWANG_SLURM_FILE", "/etc/suanwang/slurm.yaml", "slurm_file", "/etc/suanwang/slurm.yaml"),
    ("SUANWANG_SLURM_POLL_S", "5", "slurm_poll_s", 5),
    ("SUANWANG_KUBERNETES_FILE", "/etc/suanwang/k8s.yaml", "kubernetes_file", "/etc/suanwang/k8s.yaml"),
    ("SUANWANG_KUBECONFIG", "/etc/suanwang/kubeconfig", "kubeconfig", "/etc/suanwang/kubeconfig"),
    ("SUANWANG_RAY_FILE", "/etc/suanwang/ray.yaml", "ray_file", "/etc/suanwang/ray.yaml"),
    ("SUANWANG_QUANTUM_FILE", "/etc/suanwang/quantum.yaml", "quantum_file", "/etc/suanwang/quantum.yaml"),
    ("SUANWANG_TES_FILE", "/etc/suanwang/tes.yaml", "tes_file", "/etc/suanwang/tes.yaml"),
    ("SUANWANG_HOST_CORES", "2", "host_cores", 2),
    ("SUANWANG_TASK_NETWORK", "Yes", "task_network", True),
    ("SUANWANG_LAB", "mine", "lab", "mine"),
    ("SUANWANG_INPUT_ALLOW", "10.0.0.0/8, files.lan,", "input_allow", ("10.0.0.0/8", "files.lan")),
    ("SUANWANG_TES_HOST_IMAGES", "alpine*,ubuntu", "tes_host_images", ("alpine*", "ubuntu")),
    ("SUANWANG_TES_NETWORK", "1", "tes_network", True),
    ("SUANWANG_TES_WALL_TIME_S", "60", "tes_wall_time_s", 60),
    ("SUANWANG_TES_OPEN", "yes", "tes_open", True),
    ("SUANWANG_DOOR_PARTITIONS", "gpu=ai, debug=a+b", "door_partitions", (("gpu", "ai"), ("debug", "a+b"))),
    ("SUANWANG_DOOR_PRIORITIES", "high=50,low=1", "door_priorities", (("high", 50), ("low", 1))),
    ("SUANWANG_OUTPUT_ROOTS", "/srv/out", "output_roots", ("/srv/out",)),
    ("SUANWANG_S3_ENDPOINT", "http://127.0.0.1:9000", "s3_endpoint", "http://127.0.0.1:9000"),
    ("SUANWANG_OBJECT_BYTES_MAX", "1048576", "object_bytes_max", 1 << 20),
    ("SUANWANG_LOG_BYTES_MAX", "1024", "log_bytes_max", 1024),
    ("SUANWANG_STOP_GRACE_S", "3", "stop_grace_s", 3),
    ("SUANWANG_SCARCITY_S", "0", "scarcity_s", 0),
    ("SUANWANG_TRUST_S", "0", "trust_s", 0),
    ("SUANWANG_RERUN_PERMILLE", "5", "rerun_permille", 5),
    ("SUANWANG_OPTIMISE_S", "0", "optimise_s", 0),
    ("SUANWANG_URL", "http://127.0.0.1:8440", "url", "http://127.0.0.1:8440"),
    ("SUANWANG_KEY", "sw_a_b", "key", "sw_a_b"),
    ("SUANWANG_S3_READABLE", "open-data, lab/raw", "s3_readable", ("open-data", "lab/raw")),
    ("SUANWANG_S3_WRITABLE", "results", "s3_writable", ("results",)),
    ("SUANWANG_ALLOW_UNSANDBOXED", "1", "allow_unsandboxed", True),
    ("SUANWANG_LANG", "zh-hant", "lang", "zh-hant"),
]


@pytest.mark.parametrize(("variable", "text", "field", "value"), READ)
def test_reads_its_variable(variable: str, text: str, field: str, value: object) -> None:
    read = read_settings({variable: text})
    assert getattr(read, field) == value
    others = [one.name for one in SETTINGS if one.name not in (field, "home")]
    assert all(getattr(read, name) == getattr(read_settings({}), name) for name in others)


def test_table_of_this_test_is_complete() -> None:
    assert {row[0] for row in READ} == {one.variable for one in SETTINGS}


def test_wrong_values_are_all_named_at_once() -> None:
    environment = {"SUANWANG_PORT": "many", "SUANWANG_TASK_NETWORK": "perhaps", "SUANWANG_HOST_CORES": "-1"}
    with pytest.raises(FaultsError) as caught:
        read_settings(environment)
    assert {(fault.code, fault.where) for fault in caught.value.faults} == {
        ("setting_form", name) for name in environment
    }


def test_what_is_given_wins_and_none_does_not() -> None:
    read = read_settings({"SUANWANG_PORT": "1"}, port=2, host=None)
    assert (read.port, read.host) == (2, "127.0.0.1")


def test_empty_text_is_not_set_where_a_form_is_needed() -> None:
    assert read_settings({"SUANWANG_PORT": ""}).port == 8440


def test_default_store_is_in_the_home() -> None:
    assert read_settings({"SUANWANG_HOME": "/srv/s"}).database_url == "sqlite:////srv/s/store.db"


def test_callers_without_a_key_and_tasks_on_this_hosts_network_are_not_to_be_had_together(tmp_path: Path) -> None:
    home = {"SUANWANG_HOME": str(tmp_path / "home"), "SUANWANG_PORT": "0"}
    both = read_settings({**home, "SUANWANG_TES_OPEN": "1", "SUANWANG_TASK_NETWORK": "1"})
    with pytest.raises(FaultsError) as caught, serving(both, with_agent=False):
        pass
    assert [(one.code, one.where) for one in caught.value.faults] == [("tes_open_network", "SUANWANG_TES_OPEN")]
    assert not (tmp_path / "home").exists()
    for name in ("SUANWANG_TES_OPEN", "SUANWANG_TASK_NETWORK"):
        check_together(read_settings({**home, name: "1"}))
