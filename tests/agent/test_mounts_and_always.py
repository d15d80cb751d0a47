"""Folders at absolute paths, outputs under another name, outputs that are kept when the work fails."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.rigs import SANDBOX, LocalRig

from suanwang.agent import beneath
from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.local import needs
from suanwang.agent.adapters.local.settings import LocalSettings
from suanwang.agent.collect import collect, collect_failed, name_at_target
from suanwang.agent.objects import LocalObjects
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason
from suanwang.model.task import Output, TaskRequest

parts = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(parts, parts, parts)
def test_the_name_stands_in_the_place_of_the_prefix_and_of_nothing_else(prefix, rest, name):
    wanted = Output(path="**", prefix=prefix, name=name)
    assert name_at_target(wanted, f"{prefix}/{rest}") == f"{name}/{rest}"
    assert name_at_target(wanted, prefix) == name
    bare = Output(path="**", prefix=prefix)
    assert name_at_target(bare, f"{prefix}/{rest}") == rest
    assert name_at_target(bare, prefix) == prefix.rpartition("/")[2]
    assert name_at_target(bare, f"{prefix}x/{rest}") == f"{prefix}x/{rest}"
    assert name_at_target(Output(path="**"), rest) == rest


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "task"
    (made / "out").mkdir(parents=True)
    (made / "out" / "a").write_text("a")
    with beneath.opened_folder(made) as root:
        yield root


def test_one_file_goes_to_each_of_its_targets_and_is_kept_once(folder, tmp_path):
    wanted = [
        Output(path="out"),
        Output(path="out/a", target="s3://b", prefix="out/a", name="x"),
        Output(path="out", target="s3://c", prefix="out"),
        Output(path="out/a", target="s3://c", prefix="out"),
        Output(path="out/a", target="s3://c/", prefix="out/a", name="a"),
        Output(path="out/a"),
    ]
    found = collect(folder, tuple(wanted), LocalObjects(tmp_path / "objects"), 1000, "")
    assert [(one.target, one.delivered_as) for one in found.files] == [(None, None), ("s3://b", "x"), ("s3://c", "a")]


def test_one_file_goes_to_one_target_under_each_of_its_names(folder, tmp_path):
    wanted = [
        Output(path="out/*", target="s3://b", prefix="out"),
        Output(path="out/a", target="s3://b", prefix="out/a", name="renamed"),
        Output(path="out/a", target="s3://b"),
        Output(path="out", target="s3://b"),
    ]
    found = collect(folder, tuple(wanted), LocalObjects(tmp_path / "objects"), 1000, "")
    assert [one.delivered_as for one in found.files] == ["a", "renamed", None]
    assert {(one.path, one.target) for one in found.files} == {("out/a", "s3://b")}


def test_of_what_failed_only_what_is_always_kept_and_there_is_taken(folder, tmp_path):
    objects = LocalObjects(tmp_path / "objects")
    wanted = (Output(path="none", always=True), Output(path="out/a"), Output(path="o*", always=True))
    assert [one.path for one in collect_failed(folder, wanted, objects, 1000).files] == ["out/a"]
    assert collect_failed(folder, wanted, objects, 0).files == []


class TestReal:
    pytestmark = SANDBOX

    @pytest.fixture
    def rig(self, tmp_path):
        made = LocalRig(tmp_path)
        yield made
        made.close()

    def test_a_mount_is_the_folder_and_the_system_stays_as_it_was(self, rig):
        mounts = [{"path": "/data/deep", "folder": "in"}, {"path": "/tmp", "folder": "t"}]
        text = "echo x >/data/deep/f && cat in/f && echo y >/tmp/g && cat t/g && ! touch /data/h && ! touch /usr/h"
        end, log = rig.run(run=text, mounts=mounts, outputs=[{"path": "in/f"}])
        assert end.kind is EventKind.FINISHED, log
        assert [one.path for one in end.outputs] == ["in/f"]
        assert b"x\ny\n" in (log if isinstance(log, bytes) else log.encode())

    @pytest.mark.parametrize("path", ["/var/tmp", "/var/tmp/deep/x", "/var", "/var/lib/x"])
    def test_a_mount_at_or_beside_the_other_tmp(self, rig, path):
        text = f"echo x >{path}/f && cat in/f"
        if path not in ("/var", "/var/tmp"):  # there `/var/tmp` is the work's own
            text += " && echo y >/var/tmp/g && cat /tmp/g"
        end, log = rig.run(run=f"{text} && echo z >/tmp/h && cat /tmp/h", mounts=[{"path": path, "folder": "in"}])
        assert end.kind is EventKind.FINISHED, log

    def test_a_mount_of_var_with_a_tmp_of_its_own_shows_what_was_staged(self, rig):
        import io

        digest = rig.objects.put(io.BytesIO(b"staged")).blake3
        inputs = [{"source": f"object:{digest}", "path": "root/var/tmp/in"}]
        text = "cat /var/tmp/in && echo made >/var/tmp/out"
        mounts = [{"path": "/var", "folder": "root/var"}]
        end, log = rig.run(run=text, inputs=inputs, mounts=mounts, outputs=[{"path": "root/var/tmp/out"}])
        assert end.kind is EventKind.FINISHED, log
        assert [one.path for one in end.outputs] == ["root/var/tmp/out"]

    def test_a_mount_over_a_staged_file_is_refused(self, rig):
        import io

        digest = rig.objects.put(io.BytesIO(b"x")).blake3
        inputs = [{"source": f"object:{digest}", "path": "a/b"}]
        end, _ = rig.run(run="true", inputs=inputs, mounts=[{"path": "/data", "folder": "a/b/c"}])
        assert end.reason is FailureReason.INPUT_FORBIDDEN

    def test_failed_work_brings_what_is_always_kept(self, rig):
        outputs = [{"path": "log", "always": True}, {"path": "result"}]
        end, _ = rig.run(run="echo why >log; echo r >result; exit 3", outputs=outputs)
        assert (end.kind, end.exit_code, [one.path for one in end.outputs]) == (EventKind.FAILED, 3, ["log"])
        end, _ = rig.run(2, run="echo why >log; exit 0", outputs=outputs)
        assert (end.reason, list(end.outputs)) == (FailureReason.OUTPUT_MISSING, [])

    def test_without_walls_there_are_no_mounts(self, rig):
        bare = dataclasses.replace(rig.adapter._facts, bwrap=None)
        request = TaskRequest(run="true", mounts=({"path": "/data", "folder": "a"},))
        assert Limit.FILES in needs.needed(request)
        with pytest.raises(BackendError) as caught:
            needs.check(request, bare, LocalSettings(rig.folder / "x", allow_unsandboxed=True))
        assert caught.value.reason is FailureReason.LIMIT_UNSUPPORTED
