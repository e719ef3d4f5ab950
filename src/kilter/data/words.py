"""Words of a text: of any language, without a download and without TensorFlow."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from sys import intern
from typing import NamedTuple

# Thai and its neighbours, kana, Chinese characters: words stand there without a space between.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSEEN = "\u00ad\u200b\u2060\ufeff"  # soft hyphen, places to break a line, byte order mark
_JOINERS = "\u200c\u200d"  # between letters of one word, in Persian and Sinhala
_LAST_MARK = 0x1F000


class Piece(NamedTuple):
    """A word, a number or a sign as it stands in a text, and the blanks behind it."""

    word: str
    blank: str


def words_of(text: str) -> list[str]:
    """Split a text into words, numbers and signs, without what is mere form.

    Letters are made small, and digits are 0: what a number says is how long it is.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str

    Examples
    --------
    >>> words_of("Don't miss £500, TXT 80062!")
    ["don't", 'miss', '£', '000', ',', 'txt', '00000', '!']
    >>> words_of("東京 tower")
    ['東', '京', 'tower']
    """
    return list(_words(text))


@lru_cache(maxsize=1 << 17)
def _words(text: str) -> tuple[str, ...]:
    """Split once what is split for twins, for a vocabulary and for numbers, fold by fold."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    plain = plain.translate(dict.fromkeys(map(ord, _UNSEEN)))
    return tuple(intern(re.sub(r"\d", "0", word)) for word in _pattern().findall(plain))


def pieces_of(text: str) -> list[Piece]:
    """Split a text so that it can be put together again.

    Examples
    --------
    >>> [tuple(piece) for piece in pieces_of("Free  entry!")]
    [('Free', '  '), ('entry', ''), ('!', '')]
    """
    text = text.strip()
    found = list(_pattern().finditer(text))
    starts = [*(match.start() for match in found), len(text)]
    pairs = zip(found, starts[1:], strict=True)
    return [Piece(match[0], text[match.end() : start]) for match, start in pairs]


@cache
def _pattern() -> re.Pattern[str]:
    """Return what matches a word, a number, or a sign.

    Python counts marks, such as vowels of Hindi, as no part of a word; here they are.
    """
    characters = map(chr, range(0x300, _LAST_MARK))
    marks = "".join(each for each in characters if unicodedata.category(each)[0] == "M")
    marks += _JOINERS + _UNSEEN
    letter = rf"(?:(?![{_ALONE}])[^\W\d_][{marks}]*)"
    return re.compile(rf"[{_ALONE}][{marks}]*|{letter}+(?:['’]{letter}+)*|\d+|\S[{marks}]*")
