"""The catalogue is whole: every enum member, every code that the source names, every place of a template."""

import ast
import re
from enum import StrEnum
from pathlib import Path

import pytest

from suanwang.model.error import SuanwangError
from suanwang.model.event import EventKind
from suanwang.model.grid import PoolKind, ProtectionFunction, Tier
from suanwang.model.network import HolderKind, NetFault, NoWay
from suanwang.model.plan import ChargeKind
from suanwang.model.principal import Role
from suanwang.model.reason import FailureReason, PlanFault, PoolReason, RefusalReason, WaitReason
from suanwang.model.record import Phase
from suanwang.model.service import ServiceGroup
from suanwang.model.task import Preference
from suanwang.texts import catalogue, choose_language, has, language_of, languages, text

SOURCE = Path(__file__).parents[2] / "src" / "suanwang"
ENUMS: dict[str, type[StrEnum]] = {
    "phase": Phase,
    "pool_reason": PoolReason,
    "refusal": RefusalReason,
    "wait": WaitReason,
    "failure": FailureReason,
    "charge": ChargeKind,
    "event": EventKind,
    "plan_fault": PlanFault,
    "preference": Preference,
    "pool_kind": PoolKind,
    "tier": Tier,
    "protection": ProtectionFunction,
    "role": Role,
    "net_fault": NetFault,
    "net_holder": HolderKind,
    "no_way": NoWay,
    "service_group": ServiceGroup,
}
PLACE = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")


@pytest.mark.parametrize("prefix", ENUMS)
def test_each_member_of_each_closed_enum_has_a_text(prefix):
    have = {key.removeprefix(f"{prefix}.") for key in catalogue("en") if key.startswith(f"{prefix}.")}
    assert have == {one.value for one in ENUMS[prefix]}


@pytest.mark.parametrize("lang", languages()[1:])
def test_the_languages_have_the_same_keys_and_places(lang):
    english, other = catalogue("en"), catalogue(lang)
    assert set(english) == set(other)
    for key, template in english.items():
        assert set(PLACE.findall(template)) == set(PLACE.findall(other[key])), key


@pytest.mark.parametrize("lang", languages())
def test_no_text_is_empty_or_left_untranslated(lang):
    for key, words in catalogue(lang).items():
        assert words.strip(), key
    if lang != "en":
        same = [
            key for key, words in catalogue(lang).items() if words == catalogue("en")[key] and len(words.split()) > 4
        ]
        assert same == []


def test_simplified_and_traditional_differ():
    assert catalogue("zh-hans")["phase.running"] != catalogue("zh-hant")["phase.running"]


def _codes(kinds):
    """(code, file) of every `Kind("code", ...)` in the source."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value, path.relative_to(SOURCE)


def _error_kinds():
    kinds = [SuanwangError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return kinds


def test_each_error_code_of_the_source_has_a_text():
    names = {kind.__name__ for kind in _error_kinds()} - {"FaultsError", "BackendError"}
    found = list(_codes(names))
    assert len(found) > 30
    assert [(code, str(path)) for code, path in found if not has(f"error.{code}")] == []


def test_each_kind_of_error_has_a_title_and_a_text():
    codes = {kind.code for kind in _error_kinds()}
    assert [code for code in codes if not has(f"error.{code}.title") or not has(f"error.{code}")] == []


def test_each_fault_code_of_the_source_has_a_text():
    found = list(_codes({"Fault", "_Fault", "Found"}))
    assert len(found) > 30
    assert [(code, str(path)) for code, path in found if code and not has(f"fault.{code}")] == []


def test_each_key_that_the_command_line_names_has_a_text():
    pattern = re.compile(r"""\bt\(\s*["'](cli\.[\w.]+)["']""")
    for path in (SOURCE / "cli").rglob("*.py"):
        for key in pattern.findall(path.read_text("utf-8")):
            assert has(key), f"{path.name}: {key}"


def test_no_text_of_the_command_line_is_dead():
    words = "\n".join(path.read_text("utf-8") for path in (SOURCE / "cli").rglob("*.py"))
    made = (
        "cli.help",
        "cli.road.",
        "cli.grid.col.",
        "cli.key.col.",
        "cli.join.",
        "cli.option.join.",
        "cli.what_if.col.",
        "cli.lab.col.",
        "cli.net.col.",
        "cli.net.te.",
        "cli.service.col.",
        "cli.workflow.col.",
        "cli.workflow.state.",
        "cli.workflow.whole.",
    )  # put together from a name
    dead = [key for key in catalogue("en") if key.startswith("cli.") and not key.startswith(made) and key not in words]
    assert dead == []


def test_a_missing_key_shows_as_itself():
    assert text("no.such.key", "zh-hans") == "no.such.key"


def test_a_place_without_a_value_stays():
    assert "{limit}" in text("fault.below", "en", got="3")


def test_params_are_values_and_never_templates():
    assert text("fault.below", "en", got="{limit}", limit=4).startswith("`{limit}`")


@pytest.mark.parametrize(
    ("tag", "lang"),
    [
        ("zh-TW", "zh-hant"),
        ("zh_HK.UTF-8", "zh-hant"),
        ("zh-Hant-CN", "zh-hant"),
        ("zh", "zh-hans"),
        ("zh_CN.UTF-8", "zh-hans"),
        ("en_GB@euro", "en"),
        ("C.UTF-8", "en"),
        ("fr-FR", None),
        ("", None),
    ],
)
def test_a_language_tag_is_understood_in_both_notations(tag, lang):
    assert language_of(tag) == lang


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        (None, "en"),
        ("", "en"),
        ("fr, zh-TW;q=0.8, en;q=0.5", "zh-hant"),
        ("en;q=0.1, zh-CN;q=0.9", "zh-hans"),
        ("zh-CN;q=0, en", "en"),
        ("zh-TW;q=nonsense, zh-CN", "zh-hans"),
        (",,,;q=1", "en"),
        ("en, zh-CN", "en"),
    ],
)
def test_the_best_language_of_a_header_wins(header, lang):
    assert choose_language(header) == lang
