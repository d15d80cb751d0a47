"""What the decorator is told: the fields of a task, in the words of the task file, and what only functions have."""

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from suanwang.client import AsyncClient, Client
from suanwang.client.says import explained
from suanwang.intent.read import read_task
from suanwang.model.error import Fault, FaultsError
from suanwang.model.task import OWN, THIRD_PARTY, Resources, TaskRequest

FORMATS: Final = ("pickle", "json")
ANY: Final = "any"  # in `trust`: whoever owns the site
RETRIES: Final = 0  # an exception is an answer; what the grid does to a task is tried again all the same
_RESOURCES: Final = frozenset(Resources.model_fields)
_FIELDS: Final = frozenset(TaskRequest.model_fields)
# What the function itself stands for.
_MADE: Final = frozenset({"run", "array", "elements"})
# Fields that say how an array runs: nothing to a single call. The decorator holds them against the smallest array: how large one is shows with the inputs.
_OF_MAPS: Final = frozenset({"at_once", "spread"})
_SMALLEST: Final = 2
_OWN: Final = frozenset({"results", "trust", "cache", "modules", "client", "files", "secrets"})


@dataclass(frozen=True)
class Asked:
    """Everything that stands beside a function. Made by `read`, changed by `change`."""

    fields: Mapping[str, Any] = field(default_factory=dict)  # as in a task file, but for `run`
    results: str = "pickle"
    trust: tuple[str, ...] = (OWN,)
    cache: bool = False
    modules: tuple[ModuleType, ...] = ()
    client: Client | AsyncClient | None = None
    files: Path | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def lang(self) -> str:
        return "en" if self.client is None else self.client.lang

    def change(self, **given: Any) -> "Asked":
        """With these in the place of those of the same name; None is the default. Raises FaultsError, with everything that is
        wrong."""
        own = {name: given.pop(name) for name in list(given) if name in _OWN}
        own = {name: getattr(_DEFAULTS, name) if value is None else value for name, value in own.items()}
        faults = [Fault("function_field", name, str(given[name])[:80]) for name in sorted(_MADE & set(given))]
        faults += _own_faults(own)
        if faults:
            raise explained(FaultsError(faults, "task"), self.lang)
        if "trust" in own:
            own["trust"] = _several(own["trust"])
        if "modules" in own:
            own["modules"] = _several(own["modules"])
        if own.get("files") is not None:
            own["files"] = Path(own["files"])
        if "secrets" in own:
            own["secrets"] = _values(own["secrets"])
        found = replace(self, fields=_merged(self.fields, given), **own)
        if found.cache and found.secrets:
            raise explained(FaultsError([Fault("function_cache_secrets", "cache", "True")], "task"), found.lang)
        # Every fault at the line that has it, not at the first call.
        found.request(run="true", **({"array": _SMALLEST} if _OF_MAPS & set(found.fields) else {}))
        return found

    def request(self, **made: Any) -> TaskRequest:
        """The task, with what is made of the call. Raises FaultsError as for a task file."""
        document: dict[str, Any] = {"retries": RETRIES, **self.fields}
        if "array" not in made:
            document = {name: value for name, value in document.items() if name not in _OF_MAPS}
        for name, value in made.items():
            if name in ("inputs", "outputs", "tags"):
                document[name] = _joined(document.get(name), value)
            elif name == "name":
                document.setdefault(name, value)
            else:
                document[name] = value
        if self.secrets:
            document["secrets"] = list(self.secrets)
        if self.results == "pickle" and ANY not in self.trust:
            document.setdefault("owners", list(self.trust))
        try:
            request = read_task(json.dumps(document, default=_written), "task")
        except FaultsError as error:
            raise explained(error, self.lang) from None
        foreign = self.untrusted(request)
        if foreign:
            raise explained(FaultsError([Fault("function_trust", "owners", foreign)], "task"), self.lang)
        return request

    def untrusted(self, request: TaskRequest) -> str | None:
        """An owner at whose sites a task may run and whose pickled results shall not be opened here; None: there is none."""
        if self.results != "pickle" or ANY in self.trust:
            return None
        if not request.owners:
            return ANY
        others = THIRD_PARTY in self.trust  # all but the own ones
        return next((one for one in request.owners if one not in self.trust and not (others and one != OWN)), None)


_DEFAULTS: Final = Asked()


def _own_faults(own: Mapping[str, Any]) -> list[Fault]:
    faults = []
    if own.get("results", "pickle") not in FORMATS:
        faults.append(
            Fault("function_results", "results", str(own["results"])[:80], None, {"known": ", ".join(FORMATS)})
        )
    trust = own.get("trust", ())
    if not all(isinstance(one, str) for one in _several(trust)):
        faults.append(Fault("function_trust_form", "trust", str(trust)[:80]))
    if not isinstance(own.get("cache", False), bool):
        faults.append(Fault("function_cache", "cache", str(own["cache"])[:80]))
    faults += [
        Fault("function_module", f"modules[{at}]", repr(one)[:80])
        for at, one in enumerate(_several(own.get("modules", ())))
        if not isinstance(one, ModuleType)
    ]
    if not isinstance(own.get("client"), Client | AsyncClient | None):
        faults.append(Fault("function_client", "client", type(own["client"]).__name__))
    return faults


def _several(given: Any) -> tuple[Any, ...]:
    """What stands in a list; what is no list stands for itself."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else (given,)


def _values(secrets: Any) -> dict[str, str]:
    """Names with their values; names alone take the values from this process's environment."""
    if isinstance(secrets, Mapping):
        return {str(name): str(value) for name, value in secrets.items()}
    names = _several(secrets)
    missing = [name for name in names if not isinstance(name, str) or name not in os.environ]
    if missing:
        raise explained(FaultsError([Fault("function_secret", "secrets", str(one)[:80]) for one in missing], "task"))
    return {name: os.environ[name] for name in names}


def _merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with `given` over them; those of `resources` may stand beside the others, and None takes one away."""
    out = dict(before)
    resources = dict(before.get("resources") or {})
    for name, value in given.items():
        if name == "resources" and isinstance(value, Mapping):
            resources |= value
        elif name != "resources" and (name in _RESOURCES or _is_near(name)):
            resources[name] = value
        else:
            out[name] = value
    if isinstance(given.get("resources", resources), Mapping):
        out["resources"] = {name: value for name, value in resources.items() if value is not None}
    return {name: value for name, value in out.items() if value is not None and value != {}}


def _is_near(name: str) -> bool:
    """A slip for a word of `resources` rather than of the task: there the right form is known."""
    if name in _FIELDS:
        return False
    near = difflib.get_close_matches(name, sorted(_RESOURCES | _FIELDS), 1)
    return bool(near) and near[0] in _RESOURCES


def _joined(before: Any, more: Any) -> Any:
    if before is None:
        return more
    if isinstance(before, Mapping):
        return {**before, **more}
    return [*before, *more] if isinstance(before, list | tuple) else before


def _written(value: Any) -> Any:
    """What a task file would hold for a value of Python. What it cannot hold is a fault of the field, as in a file."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_defaults=True)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, set | frozenset | range):
        return list(value)
    return repr(value)
