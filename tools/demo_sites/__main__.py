"""`make demo-sites`: the words after it are in ARGS."""

import argparse

from tools.demo_sites.places import PLACES
from tools.demo_sites.play import Wish, play
from tools.demo_sites.story import PACE_S

from suanwang.cli.words import LANG, t
from suanwang.texts import LANGUAGES


def main() -> int:
    names = [make().name for make in PLACES]
    parser = argparse.ArgumentParser(prog="make demo-sites", description=t("demo_sites.about"))
    parser.add_argument("--without", action="append", default=[], choices=names, help=t("demo_sites.option.without"))
    parser.add_argument("--json", action="store_true", help=t("demo_sites.option.json"))
    parser.add_argument("--lang", choices=LANGUAGES, default=LANG, help=t("demo_sites.option.lang"))
    parser.add_argument("--pace", type=float, default=PACE_S, metavar="S", help=t("demo_sites.option.pace"))
    given = parser.parse_args()
    try:
        return play(Wish(tuple(given.without), given.json, LANG, given.pace))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
