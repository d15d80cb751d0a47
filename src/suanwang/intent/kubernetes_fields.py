"""Which fields of a Kubernetes Job mean nothing here, and which are refused and why; amounts as Kubernetes writes them. Pure."""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil
from typing import Any, Final

from pydantic import BaseModel

from suanwang.intent.document import Loc
from suanwang.intent.slurm_values import BadValueError

# By the model that they stand in. What is written in neither table and is of type Any is not used by anybody.
QUIET: Final[Mapping[str, frozenset[str]]] = {
    "K8sMeta": frozenset(
        ["creationTimestamp", "resourceVersion", "uid", "generation", "managedFields", "selfLink", "deletionTimestamp"]
    )
    | {"deletionGracePeriodSeconds"},
    "K8sJob": frozenset({"status"}),
    "K8sContainer": frozenset(
        [
            "imagePullPolicy",
            "terminationMessagePath",
            "terminationMessagePolicy",
            "stdin",
            "stdinOnce",
            "tty",
            "resizePolicy",
        ]
    ),
    "K8sPodSpec": frozenset(
        [
            "terminationGracePeriodSeconds",
            "dnsPolicy",
            "schedulerName",
            "enableServiceLinks",
            "automountServiceAccountToken",
        ]
    ),
    "K8sJobSpec": frozenset({"ttlSecondsAfterFinished", "podReplacementPolicy"}),
    "K8sVolumeMount": frozenset({"mountPropagation", "recursiveReadOnly"}),
}
NO_EFFECT: Final[Mapping[str, frozenset[str]]] = {
    "K8sMeta": frozenset({"finalizers", "ownerReferences"}),
    "K8sContainer": frozenset({"ports", "securityContext"}),
    "K8sPodSpec": frozenset(
        [
            "tolerations",
            "serviceAccountName",
            "serviceAccount",
            "securityContext",
            "imagePullSecrets",
            "priority",
            "preemptionPolicy",
            "hostname",
            "subdomain",
            "setHostnameAsFQDN",
            "hostAliases",
            "shareProcessNamespace",
            "runtimeClassName",
            "overhead",
            "os",
            "dnsConfig",
            "readinessGates",
            "hostUsers",
        ]
    ),
    "K8sJobSpec": frozenset({"selector", "manualSelector"}),
}
REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "K8sContainer": {
        **dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"), "k8s_probe"),
        **dict.fromkeys(("restartPolicy", "restartPolicyRules"), "k8s_containers"),
        "volumeDevices": "k8s_volume",
    },
    "K8sPodSpec": {
        **dict.fromkeys(("initContainers", "ephemeralContainers"), "k8s_containers"),
        **dict.fromkeys(("affinity", "topologySpreadConstraints", "nodeName"), "k8s_placement"),
        **dict.fromkeys(("hostNetwork", "hostPID", "hostIPC"), "k8s_host"),
        **dict.fromkeys(("schedulingGates", "resourceClaims", "resources"), "k8s_claims"),
    },
    "K8sJobSpec": {
        **dict.fromkeys(
            ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes"), "k8s_policy"
        ),
        "managedBy": "k8s_policy",
    },
    "K8sResources": {"claims": "k8s_claims"},
    "K8sVolumeMount": {"subPath": "k8s_sub_path", "subPathExpr": "k8s_sub_path"},
    "K8sValueFrom": {"resourceFieldRef": "k8s_value_from", "fileKeyRef": "k8s_value_from"},
    "K8sConfigMap": {"binaryData": "k8s_binary"},
}


def judged(value: BaseModel, loc: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """Every field that is given and means nothing (code `""`) or is refused (its code), wherever it stands."""
    name = type(value).__name__
    for field in type(value).model_fields:
        given = getattr(value, field)
        if given is None or given is False or given in ((), [], {}):
            continue
        if field in REFUSED.get(name, {}):
            yield (*loc, field), REFUSED[name][field]
        elif field in NO_EFFECT.get(name, frozenset()):
            yield (*loc, field), ""
        else:
            yield from _inside(given, (*loc, field))


def _inside(given: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(given, BaseModel):
        yield from judged(given, loc)
    elif isinstance(given, tuple):
        for at, one in enumerate(given):
            if isinstance(one, BaseModel):
                yield from judged(one, (*loc, at))


# -- amounts ---------------------------------------------------------------------------------------------------

_QUANTITY: Final = re.compile(
    r"^([0-9]{1,20}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})([A-Za-z]{0,2}|[eE][+-]?[0-9]{1,2})$", re.ASCII
)
_UNITS: Final = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}


def quantity(value: str | int | float) -> Fraction:
    """An amount: `500m`, `2`, `1.5Gi`, `128974848`, `1e3`. Raises BadValueError."""
    text = repr(value) if isinstance(value, float) else str(value)
    found = _QUANTITY.match(text)
    if found is None:
        raise BadValueError("k8s_quantity")
    number, unit = Fraction(found[1] + ("0" if found[1].endswith(".") else "")), found[2]
    if unit[:1] in ("e", "E") and len(unit) > 1 and unit[1:].lstrip("+-").isdigit():
        return number * Fraction(10) ** int(unit[1:])
    if unit not in _UNITS:
        raise BadValueError("k8s_quantity")
    return number * _UNITS[unit]


def whole_up(value: str | int | float) -> int:
    """An amount as a whole number, rounded up: half a core is a core."""
    return ceil(quantity(value))
