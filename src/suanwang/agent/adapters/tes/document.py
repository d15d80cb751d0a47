"""One element of an attempt as a TES task. Pure.

Two executors over the same files: the first is the work, the second packs what is to come back, whatever the first came to
(`ignore_error`). The folder `/suanwang` is shared by both; `task` in it is the task's own.
"""

import base64
import shlex
from math import ceil
from typing import Any, Final

from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.tes.settings import TesPool, TesSettings
from suanwang.agent.command import command_of, environment_of, environment_script
from suanwang.model.ids import AttemptId
from suanwang.model.task import Output, PythonEntry
from suanwang.model.units import GIB

ROOT: Final = "/suanwang"
TASK: Final = f"{ROOT}/task"
RUN: Final = f"{ROOT}/run"
OUT: Final = f"{ROOT}/out"
LOG_FILE: Final = "log"
TREE_FILE: Final = "tree.tar.gz"
ATTEMPT_TAG: Final = "suanwang-attempt"
ELEMENT_TAG: Final = "suanwang-element"
KILLED: Final = 137
PRINTED_BYTES: Final = 60_000
_GLOB: Final = frozenset("*?[")

# Work that was killed from outside, by the server's limit of memory for instance, fails the task as a whole, so that the server
# says why in its own words. Such a task brings no files back: its log is what the second executor prints.
_PACK: Final = f"""\
if [ -f {ROOT}/killed ]; then tail -c {PRINTED_BYTES} {ROOT}/{LOG_FILE}; exit {KILLED}; fi
mkdir -p {OUT} || exit 1
[ ! -f {ROOT}/{LOG_FILE} ] || cp {ROOT}/{LOG_FILE} {OUT}/{LOG_FILE} || exit 1
cd {TASK} || exit 1
set --
for one in %s; do if [ -e "$one" ] || [ -L "$one" ]; then set -- "$@" "./$one"; fi; done
[ "$#" = 0 ] || tar -czf {OUT}/{TREE_FILE} "$@"
"""


def document_of(
    order: StartOrder, index: int, settings: TesSettings, cargo: bytes | str | None, result_url: str
) -> dict[str, Any]:
    """`cargo`: the packed inputs, or the address where they lie. Raises BackendError for what no command can hold."""
    request, asked = order.request, order.request.resources
    pool = settings.pools.get(order.pool, TesPool())
    image = settings.image if request.image == "host" else request.image
    executor = {"image": image, "workdir": ROOT}
    resources: dict[str, Any] = {
        "cpu_cores": max(1, asked.cpu),
        "ram_gb": asked.memory / GIB,
        "disk_gb": ceil(asked.disk / GIB),
        "preemptible": False,
    }
    if pool.zones:
        resources["zones"] = list(pool.zones)
    if pool.backend_parameters:
        resources["backend_parameters"] = dict(pool.backend_parameters)
    return {
        "name": request.name,
        "description": f"{order.task_id} of a computing force network",
        "tags": {ATTEMPT_TAG: name_of(settings, order.attempt_id), ELEMENT_TAG: str(index)},
        "resources": resources,
        "inputs": [*_files(order, index, settings), *_cargo(cargo)],
        "outputs": [{"path": OUT, "url": result_url, "type": "DIRECTORY"}],
        "executors": [
            {**executor, "command": ["/bin/sh", f"{ROOT}/run.sh"], "ignore_error": True},
            {**executor, "command": ["/bin/sh", f"{ROOT}/pack.sh"]},
        ],
    }


def name_of(settings: TesSettings, attempt_id: AttemptId) -> str:
    """What an attempt is called at the server."""
    return f"{settings.scope}{attempt_id}"


def key_of(settings: TesSettings, attempt_id: AttemptId, index: int) -> str:
    """The same for every try to hand in the same element."""
    return f"{name_of(settings, attempt_id)}-{index}"


def _files(order: StartOrder, index: int, settings: TesSettings) -> list[dict[str, str]]:
    python = ":".join((*settings.path, "/usr/local/sbin"))
    environment = environment_of(order, index, max(1, order.request.resources.cpu), python, TASK, RUN)
    run = order.request.run
    files = {
        "run.sh": _run_script(order),
        "pack.sh": _PACK % " ".join(shlex.quote(one) for one in roots_of(order.request.outputs)),
        "environment.sh": environment_script(environment).decode("utf-8", "replace"),
    }
    if isinstance(run, PythonEntry) and run.script is not None:
        files["script.py"] = run.script
    return [{"path": f"{ROOT}/{name}", "content": text} for name, text in files.items()]


def _cargo(cargo: bytes | str | None) -> list[dict[str, str]]:
    """Content of TES is text, so bytes are written as such."""
    if cargo is None:
        return []
    if isinstance(cargo, str):
        return [{"path": f"{ROOT}/in.tar.gz", "url": cargo}]
    return [{"path": f"{ROOT}/in.b64", "content": base64.encodebytes(cargo).decode()}]


def _run_script(order: StartOrder) -> str:
    """The work. Its time is held inside, where an image has `timeout`; the agent cancels what has not."""
    seconds = order.request.resources.wall_time / 1e6
    words = shlex.join(command_of(order, RUN))
    return f"""\
mkdir -p {TASK} {RUN} || exit 125
cd {TASK} || exit 125
if [ -f {ROOT}/in.b64 ]; then base64 -d <{ROOT}/in.b64 | tar -xzf - || exit 125; fi
if [ -f {ROOT}/in.tar.gz ]; then tar -xzf {ROOT}/in.tar.gz || exit 125; fi
[ ! -f {ROOT}/script.py ] || cp {ROOT}/script.py {RUN}/script.py || exit 125
. {ROOT}/environment.sh
began=$(date +%s)
(
  exec >{ROOT}/{LOG_FILE} 2>&1 </dev/null
  if command -v timeout >/dev/null; then exec timeout -s KILL {seconds:g} {words}; fi
  exec {words}
)
code=$?
if [ "$code" = {KILLED} ] && [ $(($(date +%s) - began)) -lt {int(seconds)} ]; then : >{ROOT}/killed; fi
exit "$code"
"""


def roots_of(outputs: tuple[Output, ...]) -> list[str]:
    """The paths that hold all outputs: each up to its first part with a wildcard. `.` holds everything."""
    out = []
    for one in outputs:
        plain: list[str] = []
        for part in one.path.split("/"):
            if _GLOB & set(part):
                break
            plain.append(part)
        out.append("/".join(plain) or ".")
    return ["."] if "." in out else list(dict.fromkeys(out))
