"""What a task takes of others, as far as it can be put where it is asked for."""

from suanwang.dispatch.gather import Lacking, gather
from suanwang.model.event import OutputFile
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.task import Input, TaskRequest
from suanwang.observe.following import Made

MAKER = TaskId("task-00000000000000000000000001")


def file(path: str, digit: str) -> OutputFile:
    return OutputFile(path=path, size_bytes=1, blake3=digit * 64)


def test_a_file_below_another_file_is_refused_before_anything_is_fetched():
    """No real folder holds both; what a site says need not be one."""
    request = TaskRequest(run="true", inputs=(Input(source=f"task:{MAKER}/out", path="in"),))
    made = {MAKER: (Made(SiteId("s"), (file("out/a", "1"), file("out/a/b", "2"))),)}
    found = gather(request, made)
    assert isinstance(found, Lacking)
    assert found.reason is FailureReason.INPUT_FORBIDDEN
    assert "in/a" in found.detail
