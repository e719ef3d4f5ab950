"""Easy data augmentation of texts: words are replaced, inserted, swapped and deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Real
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.utils.validation import check_is_fitted

from kilter._errors import ArgumentError, ArgumentTypeError, did_you_mean
from kilter.augment.synonyms import Synonyms, find_synonyms, same
from kilter.data.words import Piece, pieces_of

Pieces = list[Piece]
Strings = Sequence[str] | np.ndarray


class RandomWords(BaseEstimator):
    """Changes some words of a text at random, so that it still says about the same.

    Use it where a class has few texts: `fit_resample` adds changed copies of the texts of rarer
    classes, on the training part only, in imbalanced-learn's way. ``kilter compare --augment
    light`` does it within each fold. Each copy is changed by one of ``operations``, drawn anew, or
    by all:

    - ``replace`` puts a synonym in the place of a word,
    - ``insert`` puts a synonym of a word anywhere,
    - ``swap`` lets two words change places,
    - ``delete`` leaves words out.

    Common words such as "the" have no synonyms here, and neither have numbers.

    Parameters
    ----------
    share : float
        Share of the words of a text that an operation changes, at least one; when deleting, the
        chance of each word. In (0, 1].
    operations : sequence of str
        Of those above.
    every : bool
        Whether a copy is changed by all of them rather than by one.
    synonyms : "wordnet", path, or dict, optional
        Where synonyms come from: the files of WordNet, a text file with a group of words a line
        (``car, automobile``), or a dict of words to others. If not given, words that are used
        alike in the texts that it is fitted on; see `kilter.augment.synonyms.near_words`.
    random_state : int
        Decides all draws.

    Raises
    ------
    ArgumentError
        On use, if ``share`` or an operation is none of these.
    SourceError
        If WordNet or the file is not there.

    Examples
    --------
    >>> eda = RandomWords(operations=["replace"], synonyms={"free": ["complimentary"]})
    >>> texts = ["see you at noon", "ok", "yes", "Free entry!"]
    >>> more, labels = eda.fit_resample(texts, ["ham", "ham", "ham", "spam"])
    >>> more[-1], labels.tolist()
    ('Complimentary entry!', ['ham', 'ham', 'ham', 'spam', 'spam', 'spam'])

    References
    ----------
    Wei and Zou (2019), EDA: Easy data augmentation techniques for boosting performance on text
    classification tasks.
    """

    def __init__(
        self,
        share: float = 0.1,
        operations: Sequence[str] = ("replace", "insert", "swap", "delete"),
        every: bool = False,
        synonyms: Any = None,
        random_state: int = 0,
    ) -> None:
        self.share = share
        self.operations = operations
        self.every = every
        self.synonyms = synonyms
        self.random_state = random_state

    def fit(self, texts: Strings, y: Any = None) -> Self:
        """Find synonyms; ``texts`` are those to learn from."""
        self._check()
        found: Synonyms = {}
        if {"replace", "insert"} & set(self.operations):
            given = isinstance(self.synonyms, dict)
            found = self.synonyms if given else find_synonyms(self.synonyms, _strings(texts))
        several = ((same(w), (s,) if isinstance(s, str) else tuple(s)) for w, s in found.items())
        self.synonyms_ = {w: s for w, s in several if s and w not in ENGLISH_STOP_WORDS}
        return self

    def copies(self, texts: Strings, number: int = 1) -> np.ndarray:
        """Return changed copies, an object array of shape (texts, number).

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        random = np.random.default_rng(self.random_state)
        changed = np.empty((len(texts), number), object)
        for row, text in enumerate(_strings(texts)):
            pieces = pieces_of(text)
            changed[row] = [self._changed(pieces, random) for _ in range(number)]
        return changed

    def fit_resample(self, texts: Strings, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Add changed copies of the texts of each class until all have as many as the largest.

        Parameters
        ----------
        texts : sequence of str, shape (rows,)
        y : array-like, shape (rows,)
            Their classes.

        Returns
        -------
        texts, y
            Those that came, and the copies behind them.
        """
        labels = np.asarray(y)
        if not labels.size:
            raise ArgumentError("`texts` has none, and at least one is needed. Give some.")
        if labels.shape != (len(texts),):
            raise ArgumentError(
                f"`y` must have a class for each of the {len(texts):,} texts; got the shape "
                f"{labels.shape}."
            )
        given = np.empty(len(texts), object)
        given[:] = _strings(texts)
        classes, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
        lacking = counts.max() - counts
        rows = [
            np.resize(np.flatnonzero(positions == place), lacking[place])
            for place in range(len(classes))
        ]
        repeated = np.concatenate(rows).astype(int)
        changed = self.fit(given).copies(given[repeated])[:, 0]
        return np.concatenate([given, changed]), np.concatenate([labels, labels[repeated]])

    def _changed(self, pieces: Pieces, random: np.random.Generator) -> str:
        chosen = self.operations if self.every else [random.choice(list(self.operations))]
        for name in chosen:
            number = max(1, round(self.share * len(pieces)))
            pieces = OPERATIONS[name](pieces, number, self.synonyms_, random)
        return _joined(pieces)

    def _check(self) -> None:
        if not isinstance(self.share, Real):
            raise ArgumentTypeError(f"`share` must be a number; got {self.share!r}.")
        if not isinstance(self.synonyms, str | PathLike | dict | None):
            raise ArgumentTypeError(
                "`synonyms` must be wordnet, a file, a dict of words to others, or None; got a "
                f"`{type(self.synonyms).__name__}`."
            )
        if not 0 < self.share <= 1:
            raise ArgumentError(f"`share` must be above 0 and at most 1; got {self.share}.")
        if isinstance(self.operations, str) or not len(self.operations):
            raise ArgumentTypeError(
                f"`operations` must be several of {', '.join(OPERATIONS)}; got {self.operations!r}."
            )
        for name in self.operations:
            if name not in OPERATIONS:
                raise ArgumentError(
                    f"`operations` must be of {', '.join(OPERATIONS)}; got `{name}`."
                    f"{did_you_mean(str(name), OPERATIONS)}"
                )


def _joined(pieces: Pieces) -> str:
    """Put pieces together, with a blank between those that would become one."""
    text = ""
    for piece, following in pairwise([*pieces, Piece("", "")]):
        grown = not piece.blank and len(pieces_of(piece.word + following.word)) < 2
        text += piece.word + (" " if grown else piece.blank)
    return text.rstrip()


def _strings(texts: Any) -> list[str]:
    if isinstance(texts, str):
        raise ArgumentTypeError("`texts` must be several; got one string. Put it into a list.")
    if isinstance(texts, dict) or hasattr(texts, "columns"):
        raise ArgumentTypeError(
            "`texts` must be strings in a list, an array or a column; got a "
            f"`{type(texts).__name__}`. Take one column of it."
        )
    found = list(texts)
    for text in found:
        if not isinstance(text, str):
            raise ArgumentTypeError(
                f"`texts` must be strings; got a `{type(text).__name__}` among them."
            )
    return found


# -- operations: of the words of a text, how many to change, synonyms, and a generator ---------


def _replace(
    pieces: Pieces, number: int, synonyms: Synonyms, random: np.random.Generator
) -> Pieces:
    known = [place for place, piece in enumerate(pieces) if _others(piece, synonyms)]
    changed = list(pieces)
    for place in random.permutation(known)[:number]:
        piece = pieces[int(place)]
        changed[int(place)] = piece._replace(word=_synonym(piece, synonyms, random))
    return changed


def _insert(pieces: Pieces, number: int, synonyms: Synonyms, random: np.random.Generator) -> Pieces:
    known = [piece for piece in pieces if _others(piece, synonyms)]
    changed = list(pieces)
    for _ in range(number if known else 0):
        word = _synonym(known[random.integers(len(known))], synonyms, random)
        place = int(random.integers(len(changed) + 1))
        if place == len(changed):
            changed[-1] = changed[-1]._replace(blank=" ")
        changed.insert(place, Piece(word, " "))
    return changed


def _swap(pieces: Pieces, number: int, synonyms: Synonyms, random: np.random.Generator) -> Pieces:
    words = [piece.word for piece in pieces]
    for _ in range(number if len(words) > 1 else 0):
        one, other = random.choice(len(words), 2, replace=False)
        words[one], words[other] = words[other], words[one]
    return [Piece(word, piece.blank) for word, piece in zip(words, pieces, strict=True)]


def _delete(pieces: Pieces, number: int, synonyms: Synonyms, random: np.random.Generator) -> Pieces:
    """Leave words out, each with the chance that makes ``number`` of them on average, not all."""
    kept = random.random(len(pieces)) >= number / max(len(pieces), 1)
    if len(pieces) and not kept.any():
        kept[random.integers(len(pieces))] = True
    return [piece for piece, keep in zip(pieces, kept, strict=True) if keep]


OPERATIONS: dict[str, Callable[[Pieces, int, Synonyms, np.random.Generator], Pieces]] = {
    "replace": _replace,
    "insert": _insert,
    "swap": _swap,
    "delete": _delete,
}


def _others(piece: Piece, synonyms: Synonyms) -> Sequence[str]:
    """Return what may stand for a word; the same in capitals counts as the same."""
    return synonyms.get(same(piece.word), ())


def _synonym(piece: Piece, synonyms: Synonyms, random: np.random.Generator) -> str:
    others = _others(piece, synonyms)
    return _in_case_of(piece.word, others[int(random.integers(len(others)))])


def _in_case_of(word: str, other: str) -> str:
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() else other


# -- by one word -----------------------------------------------------------------------------

WORDS = {"light": False, "strong": True}
"""Whether every operation changes each copy."""


def find_words(augment: Any, synonyms: str | None = None, seed: int = 0) -> RandomWords:
    """Return what ``augment`` names for texts: ``light``, ``strong``, or a `RandomWords` itself.

    Examples
    --------
    >>> find_words("strong").every
    True
    """
    if isinstance(augment, RandomWords):
        return augment
    if not isinstance(augment, str):
        raise ArgumentTypeError(
            f"`augment` must be a word ({', '.join(WORDS)}) or a `RandomWords` for texts; got "
            f"{augment!r:.80}."
        )
    if augment not in WORDS:
        raise ArgumentError(
            f"`augment` must be one of {', '.join(WORDS)}, or a `RandomWords`; got `{augment}`."
            + did_you_mean(augment, WORDS)
        )
    return RandomWords(every=WORDS[augment], synonyms=synonyms, random_state=seed)
