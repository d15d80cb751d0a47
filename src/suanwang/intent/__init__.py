"""Intent: a text or a call becomes a `TaskRequest`, or every fault of it at once. See README.md."""

from suanwang.intent.document import Document, parse
from suanwang.intent.read import read_task, read_tasks_ndjson, task_schema, validate
from suanwang.intent.starter import init_text

__all__ = ["Document", "init_text", "parse", "read_task", "read_tasks_ndjson", "task_schema", "validate"]
