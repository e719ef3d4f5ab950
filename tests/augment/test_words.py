"""Texts with some words changed: what each change keeps, and who gets copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import MultinomialNB

from kilter._errors import ArgumentError, ArgumentTypeError, SourceError
from kilter.augment.synonyms import near_words
from kilter.augment.words import RandomWords, find_words
from kilter.data.words import words_of
from made_data import write

OPERATIONS = ("replace", "insert", "swap", "delete")
SYNONYMS = {"free": ["gratis", "complimentary"], "win": ["gain"], "entry": ["admission"]}
OTHERS = {other for others in SYNONYMS.values() for other in others}

known, plain = st.sampled_from(sorted(SYNONYMS)), st.text("abcd", min_size=1, max_size=3)
word_lists = st.lists(known | plain, min_size=1, max_size=12)
shares = st.floats(0.01, 1)
seeds = st.integers(0, 2**32 - 1)


def change(text: str, *operations: str, times: int = 1, **settings: Any) -> list[str]:
    """Return changed copies of one text."""
    settings = {"synonyms": SYNONYMS, **settings}
    return RandomWords(operations=operations, **settings).fit([]).copies([text], times)[0].tolist()


def number_of(share: float, words: Sequence[str]) -> int:
    return max(1, round(share * len(words)))


def is_within(some: Sequence[str], all_: Sequence[str]) -> bool:
    """Whether words are there in this order, with others between them or not."""
    rest = iter(all_)
    return all(word in rest for word in some)


class TestReplace:
    @given(word_lists, shares, seeds)
    def test_some_known_words_become_synonyms_and_all_others_stay(
        self, words: list[str], share: float, seed: int
    ) -> None:
        (copy,) = change(" ".join(words), "replace", share=share, random_state=seed)
        changed = [
            (one, other) for one, other in zip(words, copy.split(), strict=True) if one != other
        ]
        assert all(other in SYNONYMS[one] for one, other in changed)
        there = sum(word in SYNONYMS for word in words)
        assert len(changed) == min(there, number_of(share, words))

    def test_each_word_and_each_synonym_has_its_turn(self) -> None:
        seen = Counter(change("free win ok", "replace", times=4000))
        assert seen.keys() == {"gratis win ok", "complimentary win ok", "free gain ok"}
        assert seen["free gain ok"] == pytest.approx(2000, abs=150)
        assert seen["gratis win ok"] == pytest.approx(1000, abs=120)

    def test_signs_and_blanks_stay_where_they_are(self) -> None:
        (copy,) = change(
            " (Win)\n\t'free'  -entry!! ", "replace", synonyms=dict(SYNONYMS, free=["x"]), share=1
        )
        assert copy == "(Gain)\n\t'x'  -admission!!"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("win", "gain"),
            ("Win", "Gain"),
            ("WIN", "GAIN"),
            ("wIN", "gain"),
            ("WiN", "Gain"),
            ("Q", "Cue"),
            ("q", "cue"),
            ("ÉTÉ", "SOMMER"),
            ("Straße", "Road"),
            ("DON'T", "DO NOT"),
            ("Don’t", "Do not"),
            ("सोमवार", "रविवार"),
            ("東", "西"),
        ],
    )
    def test_a_synonym_is_written_as_the_word_was(self, text: str, expected: str) -> None:
        synonyms = {
            "win": ["gain"],
            "q": ["cue"],
            "été": ["sommer"],
            "strasse": ["road"],
            "don't": ["do not"],
            "सोमवार": ["रविवार"],
            "東": ["西"],
        }
        assert change(text, "replace", synonyms=synonyms) == [expected]

    def test_names_within_a_synonym_keep_their_capitals(self) -> None:
        assert change("city", "replace", synonyms={"city": ["New York"]}) == ["New York"]

    def test_common_words_have_no_synonyms(self) -> None:
        synonyms = {"the": ["x"], "not": ["x"], "you": ["x"], "win": ["gain"]}
        assert change("The win not YOU the", "replace", synonyms=synonyms, share=1) == [
            "The gain not YOU the"
        ]

    def test_a_text_without_known_words_stays(self) -> None:
        assert change("see you 47 !", "replace", times=5) == ["see you 47 !"] * 5
        assert change("free", "replace", synonyms={}) == ["free"]
        assert change("free", "replace", synonyms={"free": []}) == ["free"]


class TestInsert:
    @given(word_lists, shares, seeds)
    def test_only_synonyms_are_added(self, words: list[str], share: float, seed: int) -> None:
        (copy,) = change(" ".join(words), "insert", share=share, random_state=seed)
        found = copy.split()
        there = {other for word in words for other in SYNONYMS.get(word, ())}
        assert is_within(words, found)
        added = Counter(found) - Counter(words)
        assert set(added) <= there
        assert added.total() == (number_of(share, words) if there else 0)

    def test_they_are_added_anywhere(self) -> None:
        seen = Counter(change("win ok", "insert", times=3000))
        assert seen.keys() == {"gain win ok", "win gain ok", "win ok gain"}
        assert min(seen.values()) == pytest.approx(1000, abs=120)

    @pytest.mark.parametrize("text", ["Free entry!", "win,win", "(win)", "win...", "7win", "win'"])
    def test_a_word_never_grows_together_with_another(self, text: str) -> None:
        allowed = {*words_of(text), *OTHERS}
        for copy in change(text, "insert", times=50):
            assert set(words_of(copy)) <= allowed


class TestSwap:
    @given(word_lists, shares, seeds)
    def test_the_words_are_the_same(self, words: list[str], share: float, seed: int) -> None:
        (copy,) = change(" ".join(words), "swap", share=share, random_state=seed)
        assert Counter(copy.split()) == Counter(words)
        moved = sum(one != other for one, other in zip(words, copy.split(), strict=True))
        assert moved <= 2 * number_of(share, words)

    def test_two_change_places(self) -> None:
        assert set(change("a b  c", "swap", times=200)) == {"b a  c", "c b  a", "a c  b"}

    def test_one_alone_stays(self) -> None:
        assert change("win", "swap") == ["win"]

    @pytest.mark.parametrize("text", ["yes,no", "see you,ok!", "1,5 or 3", "(so) 7up"])
    def test_a_word_never_grows_together_with_another(self, text: str) -> None:
        for copy in change(text, "swap", times=50):
            assert Counter(words_of(copy)) == Counter(words_of(text))


class TestDelete:
    @given(word_lists, shares, seeds)
    def test_what_is_left_is_in_order_and_something(
        self, words: list[str], share: float, seed: int
    ) -> None:
        (copy,) = change(" ".join(words), "delete", share=share, random_state=seed)
        assert copy.split()
        assert is_within(copy.split(), words)

    @pytest.mark.parametrize("share", [0.1, 0.4])
    def test_each_word_is_left_out_as_often_as_asked_for(self, share: float) -> None:
        words = list("abcdefghij")
        copies = change(" ".join(words), "delete", times=4000, share=share)
        kept = Counter(word for copy in copies for word in copy.split())
        for word in words:
            assert kept[word] / 4000 == pytest.approx(1 - share, abs=0.04)

    def test_of_all_one_is_left(self) -> None:
        seen = Counter(change("a b c", "delete", times=900, share=1))
        assert seen.keys() == {"a", "b", "c"}
        assert min(seen.values()) > 240

    @pytest.mark.parametrize("text", ["yes,no", "see you,ok!", "1,5"])
    def test_a_word_never_grows_together_with_another(self, text: str) -> None:
        for copy in change(text, "delete", times=50, share=0.5):
            assert is_within(words_of(copy), words_of(text))


class TestCopies:
    def test_one_operation_each_or_all(self) -> None:
        one = change("win ok", "replace", "insert", times=2000)
        lengths = Counter(len(copy.split()) for copy in one)
        assert lengths.keys() == {2, 3}
        assert lengths[2] == pytest.approx(1000, abs=110)
        both = change("win ok", "replace", "insert", times=50, every=True, synonyms={"win": ["x"]})
        assert {len(copy.split()) for copy in both} <= {2, 3}
        assert all("win" not in copy for copy in both)

    def test_all_are_done_in_turn(self) -> None:
        copies = change("win ok", "insert", "replace", times=50, every=True, share=1)
        for copy in copies:
            assert Counter(copy.split()) == Counter({"gain": 3, "ok": 1})

    def test_their_shape(self) -> None:
        eda = RandomWords(synonyms=SYNONYMS).fit([])
        copies = eda.copies(["win it", "free entry", "ok"], 4)
        assert (copies.shape, copies.dtype) == ((3, 4), object)
        assert all(isinstance(copy, str) for copy in copies.ravel())
        assert eda.copies(["win it"]).shape == (1, 1)
        assert eda.copies([], 3).shape == (0, 3)
        assert eda.copies(["a"], 0).shape == (1, 0)

    @given(st.lists(st.text(), max_size=4), st.booleans(), shares, seeds)
    def test_any_text_has_copies(
        self, texts: list[str], every: bool, share: float, seed: int
    ) -> None:
        eda = RandomWords(share, every=every, synonyms=SYNONYMS, random_state=seed).fit(texts)
        copies = eda.copies(texts, 2)
        assert copies.shape == (len(texts), 2)
        for text, row in zip(texts, copies, strict=True):
            assert all(bool(copy) == bool(text.strip()) for copy in row)

    @settings(max_examples=20)
    @given(seeds)
    def test_a_seed_repeats_them(self, seed: int) -> None:
        texts = ["free entry to win", "see you at noon", "win a free phone"]
        eda = RandomWords(synonyms=SYNONYMS, random_state=seed).fit(texts)
        first = eda.copies(texts, 5)
        assert first.tolist() == eda.copies(texts, 5).tolist()
        assert first.tolist() == clone(eda).fit(texts).copies(texts, 5).tolist()

    def test_another_seed_makes_others(self) -> None:
        one, other = (
            change("win a free entry", *OPERATIONS, times=30, random_state=k) for k in (0, 1)
        )
        assert one != other

    def test_global_random_numbers_are_left_alone(self) -> None:
        np.random.seed(3)
        expected = np.random.random()
        np.random.seed(3)
        change("win a free entry", *OPERATIONS, times=9)
        assert np.random.random() == expected

    def test_a_long_text(self) -> None:
        text = "free word " * 20_000
        (copy,) = change(text, *OPERATIONS, every=True)
        assert len(copy.split()) == pytest.approx(40_000, rel=0.05)

    def test_before_it_is_fitted(self) -> None:
        with pytest.raises(NotFittedError):
            RandomWords().copies(["a"])


class TestSynonyms:
    def test_used_alike_in_the_texts_if_none_are_given(self) -> None:
        texts = [f"call me {day} at noon" for day in ("friday", "monday")] * 5
        eda = RandomWords(operations=["replace"]).fit(texts)
        found = near_words(map(words_of, texts))
        assert eda.synonyms_["friday"] == found["friday"]
        assert "me" in found  # a common word
        assert not {"me", "at"} & eda.synonyms_.keys()
        copies = eda.copies(["Friday!"], 20)[0]
        allowed = {f"{other.capitalize()}!" for other in found["friday"]}
        assert "Monday!" in allowed
        assert set(copies) <= allowed

    def test_of_a_file(self, tmp_path: Path) -> None:
        path = write(tmp_path, "win, gain\n")
        for source in (path, str(path)):
            assert change("Win it", "replace", synonyms=source) == ["Gain it"]

    def test_of_wordnet(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for part in ("noun", "verb", "adj", "adv"):
            is_noun = part == "noun"
            write(tmp_path, "00000000 06 n 02 win 0 gain 0 000 | x  \n" * is_noun, f"data.{part}")
            write(tmp_path, "win n 1 0 1 1 00000000  \n" * is_noun, f"index.{part}")
        monkeypatch.setenv("WNSEARCHDIR", str(tmp_path))
        assert change("Win it", "replace", synonyms="wordnet") == ["Gain it"]

    def test_they_are_not_looked_for_where_none_are_needed(self, tmp_path: Path) -> None:
        absent = tmp_path / "absent"
        assert change("a b", "swap", synonyms=absent) == ["b a"]
        for name in ("replace", "insert"):
            with pytest.raises(SourceError, match="`synonyms` must be wordnet, or a UTF-8 text"):
                change("a b", name, "swap", synonyms=absent)

    def test_a_key_in_capitals_counts_too(self) -> None:
        for key, text in (("Win", "win"), ("DON’T", "don't"), ("Ｗｉｎ", "win")):
            assert change(text, "replace", synonyms={key: ["gain"]}) == ["gain"]

    def test_a_common_word_in_capitals_is_still_one(self) -> None:
        assert change("the The", "replace", synonyms={"The": ["x"]}, share=1) == ["the The"]

    def test_one_synonym_alone_is_not_taken_for_letters(self) -> None:
        with_one: dict[str, Any] = {"win": "gain"}
        try:
            copies = change("win", "replace", synonyms=with_one, times=5)
        except ArgumentTypeError:
            return
        assert copies == ["gain"] * 5

    @pytest.mark.parametrize("synonyms", [5, ["win"], 0.5])
    def test_what_is_no_source_of_synonyms(self, synonyms: Any) -> None:
        with pytest.raises(ArgumentTypeError, match="`synonyms`"):
            RandomWords(synonyms=synonyms).fit(["a"])


TEXTS = ["one two", "three four", "five six", "seven eight", "nine ten", "red blue", "big small"]
LABELS = ["a", "b", "b", "a", "b", "b", "c"]

KINDS: dict[str, Callable[[list[str]], Any]] = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "array of objects": lambda values: np.array(values, object),
    "series": pd.Series,
    "series with an index": lambda values: pd.Series(values, index=[3, 3, 1, 0, 9, 8, 7]),
    "series of objects": lambda values: pd.Series(values, dtype=object),
    "series of categories": lambda values: pd.Series(values, dtype="category"),
}


class TestResample:
    @pytest.mark.parametrize("kind", KINDS)
    def test_all_classes_become_as_large_as_the_largest(self, kind: str) -> None:
        make = KINDS[kind]
        texts, labels = RandomWords(operations=["swap"]).fit_resample(make(TEXTS), make(LABELS))
        assert isinstance(texts, np.ndarray)
        assert texts[:7].tolist() == TEXTS
        assert labels[:7].tolist() == LABELS
        assert Counter(labels.tolist()) == {"a": 4, "b": 4, "c": 4}
        assert len(texts) == len(labels) == 12

    def test_a_copy_is_of_its_class_and_each_text_has_as_many(self) -> None:
        texts, labels = RandomWords(operations=["swap"]).fit_resample(TEXTS, LABELS)
        swapped = {" ".join(text.split()[::-1]): text for text in TEXTS}
        copies = [swapped[copy] for copy in texts[7:]]
        label_of = dict(zip(TEXTS, LABELS, strict=True))
        assert [label_of[text] for text in copies] == labels[7:].tolist()
        assert Counter(copies) == {"one two": 1, "seven eight": 1, "big small": 3}

    def test_a_text_that_is_copied_often_has_copies_that_differ(self) -> None:
        texts = ["free win entry now please", *(f"t{row}" for row in range(30))]
        found, _ = RandomWords(synonyms=SYNONYMS).fit_resample(texts, [1] + [0] * 30)
        assert len(set(found[31:])) > 15

    def test_balanced_classes_get_no_copies(self) -> None:
        texts, labels = RandomWords(operations=["swap"]).fit_resample(TEXTS[:2], [1, 0])
        assert (texts.tolist(), labels.tolist()) == (TEXTS[:2], [1, 0])

    def test_labels_keep_their_type(self) -> None:
        for labels in ([True, False, False], [0.5, 2.5, 2.5], np.array([1, 0, 0], np.int8)):
            _, found = RandomWords(operations=["swap"]).fit_resample(TEXTS[:3], labels)
            assert found.dtype == np.asarray(labels).dtype
            assert found[:3].tolist() == list(labels)

    def test_what_came_is_not_changed(self) -> None:
        texts, labels = np.array(TEXTS, object), np.array(LABELS)
        RandomWords(operations=["swap"]).fit_resample(texts, labels)
        assert (texts.tolist(), labels.tolist()) == (TEXTS, LABELS)

    def test_missing_texts_are_copied_as_they_are(self) -> None:
        texts, _ = RandomWords(operations=["swap"]).fit_resample(["", "a b", "c d"], [1, 0, 0])
        assert texts.tolist() == ["", "a b", "c d", ""]

    def test_a_table_is_not_taken_for_its_names(self) -> None:
        frame = pd.DataFrame({"note": TEXTS})
        try:
            texts, _ = RandomWords(operations=["swap"]).fit_resample(frame, LABELS)
        except ArgumentTypeError:
            return
        assert texts[:7].tolist() == TEXTS

    def test_no_texts(self) -> None:
        with pytest.raises(ArgumentError):
            RandomWords(operations=["swap"]).fit_resample([], [])


MESSAGES = ["free win", "free entry", "win now", *(f"see you at {k}" for k in "abcdefghi")]
SPAM = ["spam"] * 3 + ["ham"] * 9


class TestPipelines:
    @pytest.mark.parametrize("make", [list, np.array, pd.Series])
    def test_only_what_is_fitted_on_is_made_more(self, make: Any) -> None:
        steps = RandomWords(synonyms=SYNONYMS), CountVectorizer(), MultinomialNB()
        pipeline = make_pipeline(*steps).fit(make(MESSAGES), make(SPAM))
        assert pipeline[-1].class_count_.tolist() == [9, 9]
        assert pipeline.predict(make(["free entry", "see you"])).tolist() == ["spam", "ham"]
        assert {"gratis", "gain", "admission"} & set(pipeline[1].vocabulary_)

    def test_in_folds(self) -> None:
        pipeline = make_pipeline(
            RandomWords(synonyms=SYNONYMS, operations=["replace", "delete"]),
            CountVectorizer(),
            MultinomialNB(),
        )
        scores = cross_val_score(pipeline, np.array(MESSAGES), SPAM, cv=3)
        assert scores.min() > 0.7

    def test_it_is_cloned_with_its_settings(self) -> None:
        given: dict[str, Any] = {
            "share": 0.3,
            "operations": ["swap", "delete"],
            "every": True,
            "synonyms": SYNONYMS,
            "random_state": 7,
        }
        eda = RandomWords(**given).fit(["a"])
        again = clone(eda)
        assert again.get_params() == given
        assert not hasattr(again, "synonyms_")
        assert clone(RandomWords()).get_params() == RandomWords().get_params()
        assert again.set_params(share=0.5).share == 0.5


class TestErrors:
    @pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan"), float("inf")])
    def test_a_share_that_is_none(self, share: float) -> None:
        with pytest.raises(ArgumentError, match="`share` must be above 0 and at most 1; got"):
            RandomWords(share).fit(["a"])

    @pytest.mark.parametrize("share", ["much", None])
    def test_a_share_that_is_no_number(self, share: Any) -> None:
        with pytest.raises(ArgumentTypeError, match="`share`"):
            RandomWords(share).fit(["a"])

    def test_operations_that_are_none(self) -> None:
        with pytest.raises(ArgumentError) as info:
            RandomWords(operations=["swap", "swpa"]).fit(["a"])
        assert str(info.value) == (
            "`operations` must be of replace, insert, swap, delete; got `swpa`. Did you mean "
            "`swap`?"
        )
        with pytest.raises(ArgumentError, match=r"`operations` must be of replace.*; got `3`"):
            RandomWords(operations=[3]).fit(["a"])  # type: ignore[list-item]
        nothing: tuple[Any, ...] = ("swap", [], ())
        for operations in nothing:
            with pytest.raises(ArgumentTypeError, match="`operations` must be several of replace"):
                RandomWords(operations=operations).fit(["a"])

    @pytest.mark.parametrize(
        ("texts", "what"),
        [
            (["a", 3], "int"),
            (["a", None], "NoneType"),
            ([b"a", "b"], "bytes"),
            ([["a"], "b"], "list"),
        ],
    )
    def test_what_is_no_text(self, texts: Any, what: str) -> None:
        for call in (
            lambda: RandomWords().fit(texts),
            lambda: RandomWords(synonyms={}).fit([]).copies(texts),
            lambda: RandomWords(synonyms={}).fit_resample(texts, [0, 1]),
        ):
            with pytest.raises(ArgumentTypeError, match=f"`texts` must be strings; got a `{what}`"):
                call()

    def test_missing_texts_of_pandas(self) -> None:
        with pytest.raises(ArgumentTypeError, match="`texts` must be strings; got a `float`"):
            RandomWords(synonyms={}).fit_resample(pd.Series(["a", np.nan, "b"]), [0, 0, 1])

    def test_one_text(self) -> None:
        with pytest.raises(ArgumentTypeError, match=r"`texts` must be several; got one string\."):
            RandomWords(synonyms={}).fit_resample("ab", [0, 1])
        with pytest.raises(ArgumentTypeError, match=r"`texts` must be several; got one string\."):
            RandomWords().fit("ab")

    @pytest.mark.parametrize("labels", [[0], [0, 1, 1], [[0], [1]], [[0, 1], [1, 0]], 3])
    def test_a_class_for_each_text(self, labels: Any) -> None:
        with pytest.raises(
            ArgumentError, match=r"`y` must have a class for each of the 2 texts; got the shape \("
        ):
            RandomWords().fit_resample(["a", "b"], labels)


class TestFindWords:
    def test_by_a_word(self) -> None:
        light, strong = find_words("light"), find_words("strong", "wordnet", 7)
        assert (light.every, light.synonyms, light.random_state) == (False, None, 0)
        assert (strong.every, strong.synonyms, strong.random_state) == (True, "wordnet", 7)
        assert tuple(light.operations) == tuple(strong.operations) == OPERATIONS

    def test_one_of_ones_own_is_taken_as_it_is(self) -> None:
        own = RandomWords(0.5)
        assert find_words(own, "wordnet", 3) is own
        assert own.synonyms is None

    def test_another_word(self) -> None:
        with pytest.raises(ArgumentError, match=r"must be one of light, strong.* mean `strong`\?"):
            find_words("stong")

    @pytest.mark.parametrize("augment", [None, 3, ["light"], RandomWords])
    def test_something_else(self, augment: Any) -> None:
        with pytest.raises(ArgumentTypeError, match=r"`augment` must be a word \(light, strong\)"):
            find_words(augment)
