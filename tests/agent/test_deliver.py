"""Outputs to their targets: folders that the operator opened, S3, and nowhere else."""

import io

import pytest

from suanwang.agent.deliver import Deliverer
from suanwang.agent.objects import LocalObjects
from suanwang.agent.rules import S3Rules, TransferRules
from suanwang.agent.s3 import S3Files
from suanwang.model.error import BackendError
from suanwang.model.event import OutputFile
from suanwang.model.reason import FailureReason


@pytest.fixture
def objects(tmp_path):
    return LocalObjects(tmp_path / "objects")


def output(objects, target, path="a/b.txt", content=b"result"):
    stored = objects.put(io.BytesIO(content))
    return OutputFile(path=path, blake3=stored.blake3, size_bytes=stored.size_bytes, target=target)


def deliverer(objects, *roots):
    return Deliverer(objects, TransferRules(file_roots=roots), S3Files(None))


def test_delivered_under_an_opened_root_and_again(objects, tmp_path):
    root = tmp_path / "srv"
    root.mkdir()
    for _ in range(2):
        copied = deliverer(objects, root).deliver("att-1", [output(objects, f"file://{root}/run%201")])
        assert copied == 6
    assert (root / "run 1/a/b.txt").read_bytes() == b"result"
    assert [p.name for p in root.rglob("*") if p.is_file()] == ["b.txt"], "no part file is left"


def test_a_part_file_of_an_earlier_try_is_replaced(objects, tmp_path):
    root = tmp_path / "srv"
    (root / "a").mkdir(parents=True)
    wanted = output(objects, f"file://{root}")
    (root / "a" / f".att-1.{wanted.blake3[:16]}.part").write_bytes(b"half")
    deliverer(objects, root).deliver("att-1", [wanted])
    assert (root / "a/b.txt").read_bytes() == b"result"


def test_an_output_without_a_target_stays(objects):
    assert deliverer(objects).deliver("att-1", [output(objects, None)]) == 0


@pytest.mark.parametrize(
    "target", ["file:///etc", "file://{root}/../other", "file://{root}x", "file://host{root}", "s3://bucket/x"]
)
def test_other_targets_are_refused(objects, tmp_path, target):
    root = tmp_path / "srv"
    root.mkdir()
    with pytest.raises(BackendError) as fault:
        deliverer(objects, root).deliver("att-1", [output(objects, target.format(root=root))])
    assert fault.value.reason is FailureReason.OUTPUT_FORBIDDEN
    assert list(tmp_path.glob("srv*/**/*.txt")) == []


@pytest.mark.parametrize("path", ["../b.txt", "/b.txt", "a/../../b.txt"])
def test_a_path_that_leaves_is_refused(objects, tmp_path, path):
    root = tmp_path / "srv"
    root.mkdir()
    with pytest.raises(BackendError) as fault:
        deliverer(objects, root).deliver("att-1", [output(objects, f"file://{root}", path=path)])
    assert fault.value.reason is FailureReason.OUTPUT_FORBIDDEN


def test_a_link_below_the_root_is_not_followed(objects, tmp_path):
    root, outside = tmp_path / "srv", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "a").symlink_to(outside)
    with pytest.raises(BackendError) as fault:
        deliverer(objects, root).deliver("att-1", [output(objects, f"file://{root}")])
    assert fault.value.reason is FailureReason.OUTPUT_FORBIDDEN
    assert list(outside.iterdir()) == []


def test_a_missing_object_is_a_failed_delivery(objects, tmp_path):
    wanted = OutputFile(path="x", blake3="0" * 64, size_bytes=1, target=f"file://{tmp_path}")
    with pytest.raises(BackendError) as fault:
        deliverer(objects, tmp_path).deliver("att-1", [wanted])
    assert fault.value.reason is FailureReason.DELIVERY


@pytest.fixture(scope="module")
def s3_address():
    server = pytest.importorskip("moto.server")
    made = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    yield "http://{}:{}".format(*made.get_host_and_port())
    made.stop()


@pytest.fixture
def s3(s3_address, monkeypatch):
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    client = boto3.client(
        "s3", endpoint_url=s3_address, aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1"
    )
    client.create_bucket(Bucket="lab")
    client.put_object(Bucket="lab", Key="in/x.bin", Body=b"from the bucket")
    client.put_object(Bucket="lab", Key="private/x.bin", Body=b"not for tasks")
    rules = S3Rules(s3_address, "k", "s", "us-east-1", readable=("lab/in",), writable=("lab/out",))
    yield client, S3Files(rules)
    client.close()


def test_s3_is_read_where_it_is_opened(s3):
    _, files = s3
    with files.open("s3://lab/in/x.bin") as pieces:
        assert b"".join(pieces) == b"from the bucket"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("s3://lab/in/none", FailureReason.INPUT_MISSING),
        ("s3://lab/private/x.bin", FailureReason.INPUT_FORBIDDEN),
        ("s3://lab/in/../private/x.bin", FailureReason.INPUT_FORBIDDEN),
        ("s3://lab/inside/x.bin", FailureReason.INPUT_FORBIDDEN),
        ("s3://lab", FailureReason.INPUT_FORBIDDEN),
        ("s3:///x", FailureReason.INPUT_FORBIDDEN),
    ],
)
def test_s3_elsewhere_is_refused(s3, url, reason):
    _, files = s3
    with pytest.raises(BackendError) as fault, files.open(url):
        pass
    assert fault.value.reason is reason


def test_s3_is_written_where_it_is_opened_and_again(s3, objects):
    client, files = s3
    wanted = output(objects, "s3://lab/out/run")
    for _ in range(2):
        Deliverer(objects, TransferRules(), files).deliver("att-1", [wanted])
    assert client.get_object(Bucket="lab", Key="out/run/a/b.txt")["Body"].read() == b"result"
    with pytest.raises(BackendError) as fault:
        Deliverer(objects, TransferRules(), files).deliver("att-1", [output(objects, "s3://lab/in")])
    assert fault.value.reason is FailureReason.OUTPUT_FORBIDDEN


def test_an_s3_that_does_not_answer_is_a_failed_delivery(objects):
    rules = S3Rules("http://127.0.0.1:9", "k", "s", "us-east-1", writable=("lab",))
    with pytest.raises(BackendError) as fault:
        Deliverer(objects, TransferRules(), S3Files(rules)).deliver("att-1", [output(objects, "s3://lab/x")])
    assert fault.value.reason is FailureReason.DELIVERY


def test_delivered_under_the_name_that_it_has_there(objects, tmp_path):
    root = tmp_path / "srv"
    root.mkdir()
    named = output(objects, f"file://{root}/run").model_copy(update={"delivered_as": "c/d.txt"})
    deliverer(objects, root).deliver("att-1", [named])
    assert [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()] == ["run/c/d.txt"]
    with pytest.raises(BackendError):
        deliverer(objects, root).deliver("att-1", [named.model_copy(update={"delivered_as": "../x"})])
