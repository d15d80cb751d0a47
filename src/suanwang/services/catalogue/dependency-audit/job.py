"""Audit a dependency graph: versions by Semantic Versioning 2.0.0, advisories as ranges, upgrades to the nearest fixed version.

Writes out/sbom.json (components as in CycloneDX), out/findings.json. Packages and advisories are made.
"""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

VERSION = re.compile(r"^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?$")


def parts(version):
    major, minor, patch, pre = VERSION.match(version).groups()
    return (int(major), int(minor), int(patch)), pre.split(".") if pre else None


def compare(a, b):
    """-1, 0 or 1 by the precedence of Semantic Versioning; a pre-release comes before its release."""
    (core_a, pre_a), (core_b, pre_b) = parts(a), parts(b)
    if core_a != core_b:
        return -1 if core_a < core_b else 1
    if pre_a is None or pre_b is None:
        return (pre_a is None) - (pre_b is None)
    for x, y in zip(pre_a, pre_b, strict=False):
        if x != y:
            if x.isdigit() and y.isdigit():
                return -1 if int(x) < int(y) else 1
            if x.isdigit() != y.isdigit():
                return -1 if x.isdigit() else 1
            return -1 if x < y else 1
    return (len(pre_a) > len(pre_b)) - (len(pre_a) < len(pre_b))


def affected(version, ranges):
    """Whether a version lies in one of the half-open ranges [introduced, fixed)."""
    return any(compare(first, version) <= 0 and compare(version, fixed) < 0 for first, fixed in ranges)


def version_of(major, minor, patch, candidate):
    return f"{major}.{minor}.{patch}" + (f"-rc.{candidate}" if candidate < 99 else "")


def misordered():
    """Pairs of the specification's own list (section 11) whose order is not the one that it gives."""
    told = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 2.0.0 2.1.0 2.1.1"
    ranked = list(enumerate(told.split()))
    return sum(compare(x, y) != (a > b) - (a < b) for a, x in ranked for b, y in ranked)


def made(p, rng):
    """Every package's versions in order, who needs whom, and advisories whose ends are versions."""
    versions = {}
    for number in range(p.packages):
        # Numbers first and texts after, so that the order is known without reading a version; a release comes last of its kind.
        have = {(rng.randrange(4), rng.randrange(12), rng.randrange(12), 99) for _ in range(rng.randrange(4, 14))}
        have |= {(*one[:3], rng.randrange(1, 12)) for one in sorted(have)[:3]}
        versions[f"pkg-{number:04d}"] = [*(version_of(*one) for one in sorted(have)), "5.0.0"]
    names = list(versions)
    needs = {
        name: rng.sample(names[at + 1 :], min(len(names) - at - 1, rng.randrange(4))) for at, name in enumerate(names)
    }
    notes = []
    for number in range(p.advisories):
        name = rng.choice(names)
        a, b = sorted(rng.sample(range(len(versions[name])), 2))
        notes.append({"id": f"ADV-{number:05d}", "package": name, "ranges": [(versions[name][a], versions[name][b])]})
    return versions, needs, notes


def reachable(roots, needs):
    seen, todo = [], list(roots)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.append(name)
            todo += needs[name]
    return seen


def upgrade(installed, versions, notes):
    """The nearest later version of each vulnerable package that no advisory names."""
    out = {}
    for name, version in installed.items():
        own = [one["ranges"] for one in notes if one["package"] == name]
        if any(affected(version, ranges) for ranges in own):
            later = versions[name][versions[name].index(version) :]
            out[name] = next(one for one in later if not any(affected(one, ranges) for ranges in own))
    return out


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    versions, needs, notes = made(p, rng)
    used = reachable(list(versions)[: max(1, p.packages // 10)], needs)
    installed = {name: rng.choice(versions[name][:-1]) for name in used}
    progress(0.3)
    found = [
        (one["id"], one["package"])
        for one in notes
        if one["package"] in installed and affected(installed[one["package"]], one["ranges"])
    ]
    # The other way: list every version of each range, by the order in which they were made, and look the installed one up.
    wanted = []
    for one in notes:
        every = versions[one["package"]]
        listed = {v for a, b in one["ranges"] for v in every[every.index(a) : every.index(b)]}
        if installed.get(one["package"]) in listed:
            wanted.append((one["id"], one["package"]))
    fixes = upgrade(installed, versions, notes)
    after = {**installed, **fixes}
    left = sum(affected(after[one["package"]], one["ranges"]) for one in notes if one["package"] in after)
    bad = {}
    for one in notes:
        every = versions[one["package"]]
        bad.setdefault(one["package"], set()).update(
            v for a, b in one["ranges"] for v in every[every.index(a) : every.index(b)]
        )
    nearest = {}
    for name, version in installed.items():
        later = versions[name][versions[name].index(version) :]
        clear = [one for one in later if one not in bad.get(name, ())]
        if clear[0] != version:
            nearest[name] = clear[0]
    components = [{"type": "library", "name": name, "version": version} for name, version in sorted(installed.items())]
    (out / "sbom.json").write_text(
        json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components})
    )
    (out / "findings.json").write_text(json.dumps({"vulnerable": found, "upgrades": fixes}, indent=1))
    return {
        "packages_used": len(used),
        "vulnerabilities": len(found),
        "upgrades": len(fixes),
        "wrong_verdicts": len(set(found) ^ set(wanted)),
        "misordered": misordered(),
        "left_after_upgrade": left,
        "upgrades_not_nearest": len(set(fixes.items()) ^ set(nearest.items())),
    }
