"""The text of a circuit as words with their lines. OpenQASM 2 and 3 have one alphabet."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

SHOWN: Final = 60
# Of one reading: each word, again in each turn of a loop and in each body; each qubit or bit that is named; each gate made.
STEPS_MAX: Final = 2_000_000


class Kind(Enum):
    NAME = auto()
    WHOLE = auto()
    REAL = auto()
    TEXT = auto()
    SIGN = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    line: int


class WrongError(Exception):
    """What is wrong at a word, by the code of its text in the catalogue."""

    def __init__(self, code: str, token: Token, got: str | None = None, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.line = token.line
        self.got = (token.text if got is None else got)[:SHOWN]
        self.params = params


_WORDS: Final = re.compile(
    r"""
    (?P<space>[ \t\r\f\v]+|\n|//[^\n]*|/\*.*?\*/)
  | (?P<real>(?:\d[\d_]*\.\d*|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<whole>0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|\d[\d_]*)
  | (?P<name>[^\W\d]\w*|\$\d+)
  | (?P<text>"[^"\n]*"|'[^'\n]*')
  | (?P<sign>->|==|!=|<=|>=|&&|\|\||\*\*|\+\+|[-+*/^%~!&|<>=@,;:.\[\](){}\#])
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS: Final = {
    "real": Kind.REAL,
    "whole": Kind.WHOLE,
    "name": Kind.NAME,
    "text": Kind.TEXT,
    "sign": Kind.SIGN,
}


def tokens_of(text: str) -> list[Token]:
    """Every word, and one of kind END behind the last. Raises WrongError at the first character that begins none."""
    out: list[Token] = []
    at, line = 0, 1
    while at < len(text):
        found = _WORDS.match(text, at)
        if found is None:
            raise WrongError("qasm_expected_statement", Token(Kind.SIGN, text[at], line))
        group = found.lastgroup
        assert group is not None, "every alternative has a name"
        word = found.group()
        if word == "/" and text.startswith("/*", at):
            # A comment without end. To go on would be to look for its end again at each `/*` behind it.
            raise WrongError("qasm_expected_statement", Token(Kind.SIGN, "/*", line))
        if group != "space":
            out.append(Token(_KINDS[group], word, line))
        line += word.count("\n")
        at = found.end()
    out.append(Token(Kind.END, "", line))
    return out


class Cursor:
    """A place in the words, and the steps of the reading: whatever costs time or memory is spent here, so that no text, however
    short, makes more than STEPS_MAX of them."""

    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self.at = 0
        self.spent = 0

    def spend(self, steps: int) -> None:
        """Before they are made. Raises WrongError where the reading has no more."""
        self.spent += steps
        if self.spent > STEPS_MAX:
            raise WrongError("qasm_too_many_steps", self.next, limit=STEPS_MAX)

    @property
    def next(self) -> Token:
        return self._words[self.at]

    def peek(self, ahead: int) -> Token:
        return self._words[min(self.at + ahead, len(self._words) - 1)]

    def take(self) -> Token:
        token = self._words[self.at]
        self.spent += 1  # as `spend`, where most of the steps are
        if self.spent > STEPS_MAX:
            self.spend(0)
        if token.kind is not Kind.END:
            self.at += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Whether the next word is one of these signs or names."""
        token = self._words[self.at]
        return token.text in texts and token.kind in (Kind.SIGN, Kind.NAME)

    def takes(self, *texts: str) -> bool:
        """Take the next word where it is one of these."""
        found = self.sees(*texts)
        if found:
            self.take()
        return found

    def sign(self, text: str) -> Token:
        """The next word, which has to be this sign or name."""
        if not self.sees(text):
            raise self.unexpected("qasm_syntax", f"`{text}`")
        return self.take()

    def name(self) -> Token:
        if self.next.kind is not Kind.NAME:
            raise self.unexpected("qasm_expected_name")
        return self.take()

    def unexpected(self, code: str, expected: str | None = None) -> WrongError:
        """That the next word is another. `expected`: what of it is the same in every language."""
        got = self.next.text if self.next.kind is not Kind.END else "EOF"
        return WrongError(code, self.next, got, **({} if expected is None else {"expected": expected}))

    def skip(self) -> None:
        """Past the statement that is broken: behind its `;`, or behind the block that it opened."""
        depth = 0
        while self.next.kind is not Kind.END:
            text = self.next.text if self.next.kind is Kind.SIGN else ""
            if depth == 0 and text == "}":
                return
            self.at += 1
            depth += (text == "{") - (text == "}")
            if depth == 0 and text in (";", "}"):
                return
