"""Words that may stand for each other: of WordNet, of a file, or of the texts themselves."""

from __future__ import annotations

import os
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array

from kilter._errors import SourceError
from kilter.data.words import words_of

Synonyms = Mapping[str, Sequence[str]]

FOLDERS = (
    *("/usr/share/wordnet", "/usr/share/wordnet-3.0/dict", "/usr/local/WordNet-3.0/dict"),
    *("~/nltk_data/corpora", "/usr/share/nltk_data/corpora", "/usr/local/share/nltk_data/corpora"),
)
"""Where WordNet lies, besides what ``WNSEARCHDIR``, ``WNHOME`` and ``NLTK_DATA`` name."""
PARTS = ("noun", "verb", "adj", "adv")

WINDOW = 3  # words on each side that say how a word is used
FEWEST = 5  # times that a word must be there for its use to be known
MOST = 4000  # words, the most frequent
VECTOR = 50
NEAR = 5  # words that may stand for one
ALIKE = 0.6  # cosine of two that may


def near_words(texts: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Find words that are used alike in these texts: the built-in way, of any language.

    A word is known by its neighbours, three on each side: how often they stand there beyond chance
    (positive pointwise mutual information), in 50 dimensions. Up to five words with a cosine of
    0.6 or more may stand for it. They need not mean the same: ``tomorrow`` and ``tonight`` are
    used alike, ``good`` and ``bad`` are too.

    Parameters
    ----------
    texts : iterable of sequences of str
        Their words, as `kilter.data.words.words_of` gives them.

    Returns
    -------
    dict
        From a word to others, the nearest first.

    References
    ----------
    Levy and Goldberg (2014), Neural word embedding as implicit matrix factorization.

    Examples
    --------
    >>> texts = [f"{verb} me {day} at noon".split() for verb in ("call", "ring", "text")
    ...          for day in ("today", "friday") for _ in range(5)]
    >>> near_words(texts)["today"][0]
    'friday'
    """
    texts = [list(text) for text in texts]
    counts = Counter(word for text in texts for word in text)
    frequent = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]
    words = [word for word, times in frequent if times >= FEWEST and _is_word(word)]
    if len(words) < 2:
        return {}
    information = _mutual_information(_beside(texts, words))
    if not information.data.any():
        return {}
    vectors = _vectors(information)
    return {word: found for word, found in zip(words, _alike(vectors, words), strict=True) if found}


def _is_word(word: str) -> bool:
    return any(map(str.isalpha, word)) and not any(map(str.isdigit, word))


def _beside(texts: Iterable[Sequence[str]], words: Sequence[str]) -> csr_array:
    """Count how often each word stands beside each other one."""
    place = {word: number for number, word in enumerate(words)}
    pairs: Counter[tuple[int, int]] = Counter()
    for text in texts:
        places = [place.get(word, -1) for word in text]
        for gap in range(1, WINDOW + 1):
            pairs.update(zip(places, places[gap:], strict=False))
    known = [(one, other, times) for (one, other), times in pairs.items() if min(one, other) >= 0]
    rows, columns, times = np.array(known or [(0, 0, 0)]).T
    counted = coo_array((times.astype(float), (rows, columns)), shape=(len(words), len(words)))
    return csr_array(counted + counted.T)


def _mutual_information(beside: csr_array) -> csr_array:
    """Return log p(a, b) / p(a) p(b) where it is above 0."""
    share = np.asarray(beside.sum(axis=1)).ravel() / max(beside.sum(), 1)
    inverse = diags_array(1 / np.maximum(share, 1e-12))
    ratio = (inverse @ (beside / max(beside.sum(), 1)) @ inverse).tocsr()
    ratio.data = np.log(np.maximum(ratio.data, 1))
    return csr_array(ratio)


def _vectors(matrix: csr_array) -> np.ndarray:
    """Return unit vectors of the rows, in few dimensions."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    size = min(VECTOR, matrix.shape[0] - 1)
    return np.asarray(normalize(TruncatedSVD(size, random_state=0).fit_transform(matrix)))


def _alike(vectors: np.ndarray, words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    for row in cosines:
        order = np.argsort(-row, kind="stable")[:NEAR]
        yield tuple(words[other] for other in order if row[other] >= ALIKE)


# -- WordNet ---------------------------------------------------------------------------


def wordnet(folder: str | Path | None = None) -> dict[str, tuple[str, ...]]:
    """Read synonyms from the files of WordNet, of the commonest sense of each word.

    Parameters
    ----------
    folder : path, optional
        Has ``index.noun``, ``data.noun`` and the like, or is a zip file with them. If not given it
        is looked for where Debian, NLTK and WordNet itself put it.

    Raises
    ------
    SourceError
        The files are not there.

    References
    ----------
    Fellbaum (1998), WordNet: an electronic lexical database; the format is wndb(5WN).
    """
    places = _places() if folder is None else [Path(folder)]
    found = next((place for place in places if _has_files(place)), None)
    if found is None:
        where = (
            "WordNet's files are not on this machine" if folder is None else f"`{folder}` has none"
        )
        raise SourceError(
            f"`synonyms` wordnet needs the files index.noun, data.noun and so on, and {where}. "
            "Install them (Debian: `apt install wordnet-base`; NLTK: `python -m nltk.downloader "
            "wordnet`), name their folder in `WNSEARCHDIR`, or leave `synonyms` out: words that "
            "the texts use alike are taken then."
        )
    try:
        return _read(found)
    except (OSError, ValueError, IndexError, KeyError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"`synonyms` wordnet cannot be read: `{found}` has not all of its files, or damaged "
            f"ones ({type(error).__name__}). Install it again."
        ) from error


def _read(folder: Path) -> dict[str, tuple[str, ...]]:
    synonyms: dict[str, dict[str, None]] = defaultdict(dict)
    for part in PARTS:
        files = (_lines(folder, f"{kind}.{part}") for kind in ("index", "data"))
        for word, group in _commonest(*files):
            synonyms[word].update(dict.fromkeys(other for other in group if other != word))
    return {word: tuple(others) for word, others in synonyms.items() if others}


def _places() -> list[Path]:
    named = [os.environ.get("WNSEARCHDIR"), os.environ.get("WNHOME")]
    nltk = os.environ.get("NLTK_DATA", "").split(os.pathsep)
    roots = [*filter(None, named), *(f"{each}/corpora" for each in nltk if each), *FOLDERS]
    paths = [Path(root).expanduser() for root in roots]
    below = ("", "dict", "wordnet", "wordnet.zip")
    return [path / name for path in paths for name in below]


def _has_files(place: Path) -> bool:
    return zipfile.is_zipfile(place) or (place / "data.noun").is_file()


def _lines(place: Path, name: str) -> Iterator[str]:
    """Yield the lines of one of WordNet's files, without its licence."""
    if place.is_dir():
        content = (place / name).read_bytes()
    else:
        with zipfile.ZipFile(place) as archive:
            (member,) = (each for each in archive.namelist() if each.split("/")[-1] == name)
            content = archive.read(member)
    return (line for line in content.decode().splitlines() if not line.startswith("  "))


def _commonest(index: Iterable[str], data: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield words that are not several, each with those of its first sense."""
    groups = {}
    for line in data:
        offset, _, _, count, *rest = line.split(" ")
        words = (word.partition("(")[0].lower() for word in rest[: 2 * int(count, 16) : 2])
        groups[offset] = [word for word in words if word.isalpha()]
    for line in index:
        lemma, _, senses, pointers, *rest = line.split()
        first = rest[int(pointers) + 2] if int(senses) else ""
        if lemma.isalpha() and len(groups.get(first, ())) > 1:
            yield lemma, groups[first]


# -- a file ----------------------------------------------------------------------------


def from_file(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read synonyms from a text file: a line a group of words with commas between them.

    Raises
    ------
    SourceError
        It is not there, cannot be read, or has no group of two words.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:  # bytes that are no text, a name that is no path
        raise SourceError(
            "`synonyms` must be wordnet, or a UTF-8 text file of groups such as `car, automobile`; "
            f"`{path}` cannot be read ({type(error).__name__}). Check the path."
        ) from None
    synonyms: dict[str, dict[str, None]] = defaultdict(dict)
    for line in lines:
        group = [word.strip() for word in line.split(",") if word.strip()]
        for word in group:
            others = dict.fromkeys(other for other in group if same(other) != same(word))
            synonyms[same(word)].update(others)
    found = {word: tuple(others) for word, others in synonyms.items() if others}
    if not found:
        raise SourceError(
            f"`synonyms` names `{path}`, in which no line has two words or more. Write a group a "
            "line, such as `car, automobile`."
        )
    return found


def same(word: str) -> str:
    """Return what words that differ in their form alone have in common."""
    return "".join(words_of(word))


def find_synonyms(source: str | Path | None, texts: Iterable[str]) -> Any:
    """Return the synonyms that a setting names: words used alike in ``texts`` for None."""
    if source is None:
        return near_words(map(words_of, texts))
    return wordnet() if source == "wordnet" else from_file(source)
