"""What to run and with which environment, inside the sandbox. Pure."""

import shlex
from collections.abc import Mapping
from typing import Final

from suanwang.agent.adapter import StartOrder
from suanwang.model.error import BackendError
from suanwang.model.event import OutputFile
from suanwang.model.reason import FailureReason
from suanwang.model.task import CircuitEntry, PythonEntry

TASK_FOLDER: Final = "/task"
RUN_FOLDER: Final = "/run/suanwang"
PROGRESS_FILE: Final = f"{RUN_FOLDER}/progress"
SCRIPT_FILE: Final = f"{RUN_FOLDER}/script.py"
ENVIRONMENT_FILE: Final = "/.suanwang/environment"

# A function is called as an installed command would be: its arguments on the command line, a number is the exit code.
_CALL: Final = (
    "import importlib, sys; "
    "name, _, function = sys.argv[1].partition(':'); "
    "sys.argv = [name, *sys.argv[2:]]; "
    "answer = getattr(importlib.import_module(name), function)(); "
    "sys.exit(answer if isinstance(answer, int) and not isinstance(answer, bool) else 0)"
)
# Some shells make these their own and stop at an assignment of them.
_SHELL_OWN: Final = frozenset({"OPTIND", "PPID", "UID", "EUID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"})


def command_of(order: StartOrder, run_folder: str = RUN_FOLDER) -> list[str]:
    """The command line of the work. BackendError where it holds what no command line can."""
    run = order.request.run
    if isinstance(run, str):
        out = ["/bin/sh", "-c", run]
    elif isinstance(run, PythonEntry):
        out = ["python", *_python(run, run_folder), *run.arguments]
    elif isinstance(run, CircuitEntry):
        detail = (
            "a circuit needs a quantum device: the adapter `quantum`, or, where sites are emulated, suanwang[quantum]"
        )
        raise BackendError(FailureReason.LIMIT_UNSUPPORTED, detail)
    else:
        out = list(run)
    if any("\0" in word for word in out):
        raise BackendError(FailureReason.INPUT_FORBIDDEN, "the command holds a NUL character")
    return out


def _python(entry: PythonEntry, run_folder: str) -> list[str]:
    if entry.script is not None:
        return [f"{run_folder}/script.py"]
    assert entry.module is not None, "a Python entry has a module or a script"
    if ":" in entry.module:
        return ["-c", _CALL, entry.module]
    return ["-m", entry.module]


def environment_of(
    order: StartOrder, index: int, cores: int, python: str, home: str = TASK_FOLDER, run_folder: str = RUN_FOLDER
) -> dict[str, str]:
    """The whole environment: nothing of the agent's own is passed on. Secrets are last and win."""
    request = order.request
    out = {
        "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "USER": "task",
        "LOGNAME": "task",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": str(cores),
        **request.environment,
        "SUANWANG_TASK_ID": order.task_id,
        "SUANWANG_TASK_NUMBER": str(order.number),
        "SUANWANG_ATTEMPT_ID": order.attempt_id,
        "SUANWANG_SITE": order.site,
        "SUANWANG_ARRAY_INDEX": str(index),
        "SUANWANG_ARRAY_COUNT": str(request.array),
        "SUANWANG_CORES": str(cores),
        "SUANWANG_NODES": str(request.resources.nodes),
        "SUANWANG_PROGRESS": f"{run_folder}/progress",
        "SUANWANG_RESUMES": "1" if files_of(order, index) else "0",
        **order.secrets,
    }
    if any("\0" in value for value in out.values()):
        raise BackendError(FailureReason.INPUT_FORBIDDEN, "the environment holds a NUL character")
    return out


def files_of(order: StartOrder, index: int) -> tuple[OutputFile, ...]:
    """The checkpoint of one element, by the paths inside its own folder."""
    if order.kept is None:
        return ()
    if order.request.array == 1:
        return order.kept.files
    prefix = f"{index}/"
    own = (file for file in order.kept.files if file.path.startswith(prefix))
    return tuple(file.model_copy(update={"path": file.path.removeprefix(prefix)}) for file in own)


def environment_script(environment: Mapping[str, str]) -> bytes:
    """A shell script that exports it. It is read after the drop to the task's user, so that nothing in it, such
    as a library to preload, touches a program that still has rights."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items() if name not in _SHELL_OWN]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
