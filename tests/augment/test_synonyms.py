"""Synonyms: of the texts themselves, of WordNet's files, and of a file of one's own."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilter._errors import SourceError
from kilter.augment import synonyms
from kilter.augment.synonyms import find_synonyms, from_file, near_words, wordnet
from kilter.data.words import words_of
from made_data import write

DAYS, VERBS = ("monday", "friday", "sunday"), ("call", "ring")


def sentences(times: int = 5) -> list[list[str]]:
    """Return texts in which days are used alike, and verbs are, and nothing else is."""
    made = [f"{verb} me on {day} at noon 47" for verb in VERBS for day in DAYS]
    return [sentence.split() for sentence in made * times]


def count(texts: list[list[str]], word: str) -> int:
    return sum(text.count(word) for text in texts)


def cosines(texts: list[list[str]], words: list[str]) -> dict[tuple[str, str], float]:
    """Return the cosine of each two words' positive pointwise mutual information, by hand."""
    beside = np.zeros((len(words), len(words)))
    for text in texts:
        for place, one in enumerate(text):
            for gap, other in enumerate(text):
                if 1 <= abs(place - gap) <= 3 and one in words and other in words:
                    beside[words.index(one), words.index(other)] += 1
    joint = beside / beside.sum()
    single = joint.sum(axis=1)
    with np.errstate(divide="ignore"):
        known = np.maximum(np.log(joint / np.outer(single, single)), 0)
    lengths = np.maximum(np.linalg.norm(known, axis=1), 1e-300)
    near = (known / lengths[:, None]) @ (known / lengths[:, None]).T
    return {
        (one, other): near[words.index(one), words.index(other)] for one in words for other in words
    }


class TestNearWords:
    def test_what_stands_between_the_same_words_is_alike(self) -> None:
        found = near_words(sentences())
        for group in (DAYS, VERBS):
            for word in group:
                assert set(group) - {word} <= set(found[word])

    @settings(max_examples=25)
    @given(st.integers(0, 10**6), st.integers(3, 10))
    def test_as_the_cosines_of_mutual_information(self, seed: int, words: int) -> None:
        rng = np.random.default_rng(seed)
        plain = [list(rng.permutation(list("abcdefghij")[:words])[:6]) for _ in range(20)]
        # One word has a double, so that there are fewer dimensions than words.
        texts = [[("z" if word == "a" else word) for word in text] for text in plain] + plain
        known = sorted({word for text in texts for word in text if count(texts, word) >= 5})
        cosine = cosines(texts, known)
        found = near_words(texts)
        for one in known:
            others = found.get(one, ())
            near = [cosine[one, other] for other in others]
            assert (np.diff(near) < 1e-5).all()  # the nearest first
            assert min(near, default=1) >= 0.6 - 1e-5
            beside = [cosine[one, other] for other in known if other not in (one, *others)]
            assert max(beside, default=0) <= (0.6 if len(near) < 5 else near[-1]) + 1e-5

    def test_what_stands_elsewhere_is_not(self) -> None:
        found = near_words(sentences())
        assert "call" not in found["friday"]
        assert "monday" not in found["ring"]

    def test_a_word_is_none_of_its_own_and_has_five_at_most(self) -> None:
        letters = "abcdefghij"
        found = near_words([["the", letter * 3, "is", "big"] for letter in letters * 5])
        for letter in letters:
            assert letter * 3 not in found[letter * 3]
            assert len(found[letter * 3]) == 5
        assert set(found) <= {"the", "is", "big", *(letter * 3 for letter in letters)}

    def test_each_is_a_word_that_is_there_often(self) -> None:
        often = sentences() + [["call", "me", "on", "tuesday", "at", "noon", "47"]] * 4
        found = near_words(often)
        assert "tuesday" not in found
        assert not any("tuesday" in others for others in found.values())
        assert "tuesday" in near_words([*often, often[-1]])

    def test_numbers_and_signs_are_none(self) -> None:
        texts = [["pay", sum_, "now"] for sum_ in ("00", "000", "££", "a0") for _ in range(9)]
        found = near_words(texts)
        assert {"00", "000", "££", "a0"}.isdisjoint({*found, *sum(found.values(), ())})

    def test_the_order_of_texts_changes_nothing(self) -> None:
        texts = sentences()
        shuffled = [texts[row] for row in np.random.default_rng(0).permutation(len(texts))]
        assert near_words(shuffled) == near_words(texts) == near_words(map(tuple, texts))

    def test_a_language_without_spaces_or_of_other_letters(self) -> None:
        for one, other, rest in (("да", "нет", "я сказал {} ему"), ("左", "右", "我 向 {} 走")):
            texts = [rest.format(word).split() for word in (one, other) * 6]
            found = near_words(texts)
            assert (found[one][0], found[other][0]) == (other, one)

    def test_words_with_marks_are_words(self) -> None:
        texts = [words_of(f"वह {day} शाम को भाषा पढ़ेगा") for day in ("सोमवार", "रविवार") * 6]
        assert near_words(texts)["सोमवार"][0] == "रविवार"

    @pytest.mark.parametrize(
        "texts",
        [[], [[]], [[], []], [["once", "only"]], [["alone"]] * 9, [["a", "b"]] * 4],
    )
    def test_too_little_to_know_any(self, texts: list[list[str]]) -> None:
        assert near_words(texts) == {}

    def test_words_that_stand_alone_are_like_no_other(self) -> None:
        assert near_words([[word] for word in ("yes", "no", "maybe") * 6]) == {}

    def test_texts_are_cut_into_words_first(self) -> None:
        texts = [" ".join(words).upper() + "!" for words in sentences()]
        assert find_synonyms(None, texts) == near_words(map(words_of, texts))
        assert find_synonyms(None, iter(texts))["friday"]


# -- WordNet -------------------------------------------------------------------------------

LICENCE = "".join(
    f"  {number} {line}  \n"
    for number, line in enumerate(
        [
            "This software and database is being provided to you, the LICENSEE, by",
            "a licence that stands here in so many lines.",
            "",
        ],
        1,
    )
)
GROUPS: dict[str, list[tuple[str, ...]]] = {
    "noun": [
        ("car", "auto", "automobile", "motor_car", "x-car"),
        ("car", "railcar"),
        ("Paris", "Lutetia"),
        ("lone",),
        ("quick",),
        tuple(f"many{letter}" for letter in "abcdefghijklmnopqrs"),  # 13 in hexadecimal
    ],
    "verb": [("call", "phone"), ("phone", "ring"), ("motor_car", "drive")],
    "adj": [("fast(a)", "quick(p)", "speedy"), ("galore(ip)", "many")],
    "adv": [("quick", "quickly"), ("fast", "apace")],
}
SYNONYMS = {
    "car": ("auto", "automobile"),
    "auto": ("car", "automobile"),
    "automobile": ("car", "auto"),
    "railcar": ("car",),
    "paris": ("lutetia",),
    "lutetia": ("paris",),
    "call": ("phone",),
    "phone": ("call",),
    "ring": ("phone",),
    "fast": ("quick", "speedy", "apace"),
    "quick": ("fast", "speedy", "quickly"),
    "speedy": ("fast", "quick"),
    "galore": ("many",),
    "many": ("galore",),
    "quickly": ("quick",),
    "apace": ("fast",),
    **{
        f"many{one}": tuple(f"many{k}" for k in "abcdefghijklmnopqrs" if k != one)
        for one in "abcdefghijklmnopqrs"
    },
}
"""What is to be found: of each word's first group, whole words only."""


def data_and_index(part: str) -> tuple[str, str]:
    """Write groups as wndb(5WN) says; each group begins where its first number says."""
    data, places = LICENCE, []
    sign = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}[part]
    frames = " 01 + 02 00" if part == "verb" else ""
    for group in GROUPS[part]:
        places.append(f"{len(data):08}")
        words = " ".join(f"{word} {number:x}" for number, word in enumerate(group))
        pointers = "001 @ 00001740 n 0000"
        about = f"{places[-1]} 06 {sign} {len(group):02x} {words} {pointers}{frames}"
        data += f'{about} | what it means; "so it is used"  \n'
    plain = [[word.partition("(")[0].lower() for word in group] for group in GROUPS[part]]
    index = LICENCE
    for lemma in sorted({word for group in plain for word in group}):
        senses = [place for place, group in zip(places, plain, strict=True) if lemma in group]
        count = len(senses)
        pointers = "2 @ ~" if count > 1 else "0"
        index += f"{lemma} {sign} {count} {pointers} {count} 1 {' '.join(senses)}  \n"
    return data, index


def write_wordnet(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for part in GROUPS:
        for kind, content in zip(("data", "index"), data_and_index(part), strict=True):
            (folder / f"{kind}.{part}").write_text(content)
    return folder


def zip_wordnet(path: Path, inside: str = "wordnet/") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        if inside:
            archive.writestr(inside, "")
        archive.writestr(f"{inside}README", "about")
        for part in GROUPS:
            for kind, content in zip(("data", "index"), data_and_index(part), strict=True):
                archive.writestr(f"{inside}{kind}.{part}", content)
    return path


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Make this machine one without WordNet."""
    monkeypatch.setattr(synonyms, "FOLDERS", ())
    for name in ("WNSEARCHDIR", "WNHOME", "NLTK_DATA"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


class TestWordNet:
    def test_words_of_the_first_sense(self, tmp_path: Path) -> None:
        assert wordnet(write_wordnet(tmp_path / "dict")) == SYNONYMS
        assert wordnet(str(tmp_path / "dict")) == SYNONYMS

    def test_in_a_zip_file(self, tmp_path: Path) -> None:
        assert wordnet(zip_wordnet(tmp_path / "wordnet.zip")) == SYNONYMS

    def test_in_a_zip_file_without_a_folder(self, tmp_path: Path) -> None:
        assert wordnet(zip_wordnet(tmp_path / "wordnet.zip", inside="")) == SYNONYMS

    @pytest.mark.parametrize(
        ("variable", "below"),
        [
            ("WNSEARCHDIR", "."),
            ("WNSEARCHDIR", "dict"),
            ("WNHOME", "dict"),
            ("NLTK_DATA", "corpora/wordnet"),
        ],
    )
    def test_where_a_variable_says(
        self, tmp_path: Path, nowhere: pytest.MonkeyPatch, variable: str, below: str
    ) -> None:
        write_wordnet(tmp_path / "here" / below)
        nowhere.setenv(variable, str(tmp_path / "here"))
        assert wordnet() == find_synonyms("wordnet", []) == SYNONYMS

    def test_where_nltk_puts_the_zip_file(
        self, tmp_path: Path, nowhere: pytest.MonkeyPatch
    ) -> None:
        zip_wordnet(tmp_path / "nltk_data" / "corpora" / "wordnet.zip")
        nowhere.setenv("NLTK_DATA", f"{tmp_path / 'none'}:{tmp_path / 'nltk_data'}")
        assert wordnet() == SYNONYMS

    def test_where_a_system_puts_it(self, tmp_path: Path, nowhere: pytest.MonkeyPatch) -> None:
        nowhere.setenv("HOME", str(tmp_path))
        nowhere.setenv("WNSEARCHDIR", str(tmp_path / "absent"))
        nowhere.setattr(synonyms, "FOLDERS", (str(tmp_path / "no"), "~/wordnet"))
        write_wordnet(tmp_path / "wordnet")
        assert wordnet() == SYNONYMS

    def test_it_is_not_on_this_machine(self, nowhere: pytest.MonkeyPatch) -> None:
        for look in (wordnet, lambda: find_synonyms("wordnet", ["a"])):
            with pytest.raises(SourceError) as info:
                look()
            assert str(info.value) == (
                "`synonyms` wordnet needs the files index.noun, data.noun and so on, and WordNet's "
                "files are not on this machine. Install them (Debian: `apt install wordnet-base`; "
                "NLTK: `python -m nltk.downloader wordnet`), name their folder in `WNSEARCHDIR`, "
                "or leave `synonyms` out: words that the texts use alike are taken then."
            )

    def test_a_folder_without_it(self, tmp_path: Path) -> None:
        for place in (tmp_path, tmp_path / "absent", write(tmp_path, "a file", "index.noun")):
            with pytest.raises(SourceError, match=f"`{place}` has none. Install them"):
                wordnet(place)

    @pytest.mark.parametrize("name", ["index.noun", "data.verb", "index.adj", "data.adv"])
    def test_one_of_its_files_is_not_there(self, tmp_path: Path, name: str) -> None:
        (write_wordnet(tmp_path / "dict") / name).unlink()
        with pytest.raises(SourceError, match="`synonyms` wordnet"):
            wordnet(tmp_path / "dict")

    def test_a_zip_file_of_something_else(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            archive.writestr("wordnet/README", "nothing")
        with pytest.raises(SourceError, match="`synonyms` wordnet"):
            wordnet(tmp_path / "other.zip")

    @pytest.mark.parametrize("content", ["no group\n", "00000001 06 n zz a 0\n", "\n", "\xff\n"])
    def test_a_damaged_file(self, tmp_path: Path, content: str) -> None:
        path = write_wordnet(tmp_path / "dict") / "data.noun"
        path.write_bytes((LICENCE + content).encode("latin-1"))
        with pytest.raises(SourceError, match="`synonyms` wordnet"):
            wordnet(tmp_path / "dict")

    def test_the_real_one(self) -> None:
        try:
            found = wordnet()
        except SourceError:
            pytest.skip("WordNet is not on this machine")
        assert {"auto", "automobile"} <= set(found["car"])
        assert "car" in found["automobile"]
        assert "large" in found["big"]
        assert len(found) > 30_000
        for word, others in found.items():
            assert word not in others
            for other in (word, *others):
                assert other == other.lower()
                assert other.isalpha()


# -- a file --------------------------------------------------------------------------------


class TestFile:
    def test_a_line_a_group(self, tmp_path: Path) -> None:
        path = write(tmp_path, "car, automobile ,auto\n\nwin,gain\n,free,,gratis,\nalone\n")
        expected = {
            "car": ("automobile", "auto"),
            "automobile": ("car", "auto"),
            "auto": ("car", "automobile"),
            "win": ("gain",),
            "gain": ("win",),
            "free": ("gratis",),
            "gratis": ("free",),
        }
        assert from_file(path) == from_file(str(path)) == expected
        assert find_synonyms(path, []) == find_synonyms(str(path), []) == expected

    def test_a_word_in_two_groups_has_those_of_both(self, tmp_path: Path) -> None:
        path = write(tmp_path, "win, gain\nwin, victory, gain\n")
        assert from_file(path)["win"] == ("gain", "victory")

    def test_words_are_found_in_any_form_and_stay_as_written(self, tmp_path: Path) -> None:
        path = write(tmp_path, "Don’t, DO NOT\r\nStraße, road\r\n".encode("utf-8-sig"))
        assert from_file(path) == {
            "don't": ("DO NOT",),
            "donot": ("Don’t",),
            "strasse": ("road",),
            "road": ("Straße",),
        }

    def test_a_word_is_no_synonym_of_itself_in_capitals(self, tmp_path: Path) -> None:
        assert from_file(write(tmp_path, "Car, car, auto\n"))["car"] == ("auto",)

    @pytest.mark.parametrize(
        "content", ["", "\n\n", "car\nauto\n", "car,\n", "car, car\n", " , \n"]
    )
    def test_no_group_of_two(self, tmp_path: Path, content: str) -> None:
        path = write(tmp_path, content)
        with pytest.raises(SourceError, match=f"`{path}`, in which no line has two words or more"):
            from_file(path)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("absent", "FileNotFoundError"), (".", "IsADirectoryError"), ("t.csv", "UnicodeDecode")],
    )
    def test_no_such_file(self, tmp_path: Path, name: str, reason: str) -> None:
        write(tmp_path, b"caf\xe9, coffee\n")
        with pytest.raises(SourceError, match=rf"`synonyms` must be wordnet, or .*\({reason}"):
            from_file(tmp_path / name)

    def test_a_typing_error_in_the_word_is_no_file(self) -> None:
        with pytest.raises(SourceError, match="`synonyms` must be wordnet, or a UTF-8 text file"):
            find_synonyms("Wordnet", [])

    def test_a_name_that_no_file_can_have(self) -> None:
        with pytest.raises(SourceError, match="`synonyms` must be wordnet"):
            from_file("a\0b")
