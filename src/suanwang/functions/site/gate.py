"""The first thing that runs on the site: is this a Python that can run the function? Else it looks for one that can.

Written for any Python back to 2.7, so that the wrong one says what is wrong and not `SyntaxError`.
"""

import json
import os
import sys

FAULT_EXIT = 78  # EX_CONFIG of sysexits.h: the place is not fit for the work
FAULT_MARK = "suanwang-fault "
TRIED = "SUANWANG_OTHER_PYTHON"


def here():
    # type: () -> str
    """Which Python this is: `cpython-3.11.7`."""
    kind = getattr(getattr(sys, "implementation", None), "name", "cpython")
    return kind + "-" + ".".join(str(one) for one in sys.version_info[:3])


def family(name):
    # type: (str) -> str
    """What has to be equal: functions are sent as the bytecode of one minor version of one implementation."""
    return name.rsplit(".", 1)[0]


def fault(code, **params):
    # type: (str, object) -> None
    """Say that the site is not fit, for the client and for whoever reads the log, and end."""
    params["code"] = code
    sys.stderr.write(FAULT_MARK + json.dumps(params, sort_keys=True) + "\n")
    sys.stderr.flush()
    sys.exit(FAULT_EXIT)


def other(wanted):
    # type: (str) -> str | None
    """The path of the Python that is wanted, where this site has it beside the one that came first."""
    name = "python" + family(wanted).split("-")[1]
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def main():
    # type: () -> None
    """The last argument is the Python that the function was made with."""
    wanted = sys.argv[-1]
    if family(here()) != family(wanted):
        path = other(wanted)
        if path is not None and not os.environ.get(TRIED):
            os.environ[TRIED] = "1"
            os.execv(path, [path] + sys.argv)  # noqa: S606, RUF005
        fault("python", here=here(), wanted=wanted)
    from suanwang_site.work import work

    sys.exit(work(sys.argv[1:-1], fault))


if __name__ == "__main__":
    main()
