"""Runs the job of a service on a site and holds its figures against what is expected. Needs a Python of 3.9 and nothing else.

A task of a service has this file as `service.py` beside `job.py`; its arguments are the parameters, as `name=<JSON>`. A job is a
module with `run(p, out, progress) -> figures` (`p` has the parameters by name, `out` is the folder of outputs, `progress` takes
a fraction), or with `main(arguments) -> figures`, as the examples have it. Figures are a flat JSON object.
Writes out/result.json; its exit status is 1 where a figure is not as expected.
"""

import importlib.util
import json
import math
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Dict, List, Mapping, Sequence

UNEXPECTED = 1
LACKING = 69  # EX_UNAVAILABLE: the site lacks a package


def judge(checks: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Each check with what was got and whether it is as expected. A figure that is missing, no number or not finite is not."""
    out = []
    for check in checks:
        got = figures.get(check["figure"])
        ok = got is not None and (not isinstance(got, float) or math.isfinite(got))
        if check.get("equals") is not None:
            ok = ok and got == check["equals"] and isinstance(got, bool) == isinstance(check["equals"], bool)
        for bound, sign in (("at_least", 1), ("at_most", -1)):
            if check.get(bound) is not None:
                ok = ok and isinstance(got, (int, float)) and not isinstance(got, bool)
                ok = ok and bool(sign * float(got or 0) >= sign * check[bound])
        out.append({**check, "got": got, "ok": bool(ok)})
    return out


def told(verdict: Mapping[str, Any]) -> str:
    """One line about a check."""
    bounds = (("at_least", ">="), ("at_most", "<="), ("equals", "=="))
    wanted = " and ".join(f"{sign} {verdict[name]}" for name, sign in bounds if verdict.get(name) is not None)
    return f"{'ok  ' if verdict['ok'] else 'FAIL'} {verdict['figure']} = {verdict['got']} (expected {wanted})"


def tell_progress(fraction: float) -> None:
    """How far the job is, where the grid asks for it."""
    path = os.environ.get("SUANWANG_PROGRESS")
    if path:
        Path(path).write_text(str(min(1000, max(0, round(1000 * fraction)))))


def load(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location("job", path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figures_of(job: ModuleType, parameters: Mapping[str, Any], out: Path, array: str) -> Dict[str, Any]:
    """Run a job in one of its two forms. `array` is the parameter that says how many elements there are: an example asks
    the environment for it."""
    if not hasattr(job, "main"):
        return dict(job.run(SimpleNamespace(**parameters), out, tell_progress))
    words = ["--out", str(out)]
    for name, value in ((name, value) for name, value in parameters.items() if name != array):
        words += ["--" + name.replace("_", "-"), str(value)]
    return dict(job.main(words))


def main(arguments: Sequence[str]) -> int:
    """Run, write the result, judge it."""
    parameters = {name: json.loads(value) for name, _, value in (one.partition("=") for one in arguments)}
    brief = json.loads(os.environ["SUANWANG_SERVICE"])
    lacking = [name for name in brief["needs"] if importlib.util.find_spec(name) is None]
    if lacking:
        print(
            f"{brief['id']} needs the Python packages {', '.join(lacking)}, which {sys.executable} does not have here"
        )
        return LACKING
    out = Path("out")
    out.mkdir(exist_ok=True)
    figures = figures_of(load(Path("job.py")), parameters, out, brief["array"])
    verdicts = judge(brief["checks"], figures)
    result = {"service": brief["id"], "parameters": parameters, "figures": figures, "checks": verdicts}
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    tell_progress(1)
    print(json.dumps(figures))
    for verdict in verdicts:
        print(told(verdict))
    return 0 if all(one["ok"] for one in verdicts) else UNEXPECTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
