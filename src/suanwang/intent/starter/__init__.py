"""The commented task file that `suanwang init` writes, in each language. It must itself read well: a test."""

from pathlib import Path

LANGUAGES = ("en", "zh-hant", "zh-hans")


def init_text(lang: str = "en") -> str:
    """The task file in `lang`; in English where there is none."""
    name = lang if lang in LANGUAGES else "en"
    return Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8")
