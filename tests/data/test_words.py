"""Words of texts in many languages, and texts that are put together again."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter.data.words import pieces_of, words_of

ANY_TEXT = st.text() | st.text("aB'’ß1٣ \n\t!़िกั東ア́")


def seen(text: str) -> str:
    """Return a text without signs that only say how others are drawn."""
    return "".join(sign for sign in text if unicodedata.category(sign) != "Cf")


class TestWords:
    @given(ANY_TEXT)
    def test_no_word_is_empty_or_has_a_blank(self, text: str) -> None:
        for word in words_of(text):
            assert word
            assert not any(map(str.isspace, word))

    @given(ANY_TEXT)
    def test_nothing_but_blanks_is_lost(self, text: str) -> None:
        plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
        plain = "".join("0" if sign.isdecimal() else sign for sign in plain)
        assert seen("".join(words_of(text))) == seen("".join(plain.split()))

    @given(st.lists(st.text("abcxyz", min_size=1)), st.sampled_from([" ", "\n", "\t ", "\u00a0"]))
    def test_plain_words_are_what_stands_between_blanks(self, words: list[str], gap: str) -> None:
        assert words_of(gap + gap.join(words) + gap) == words

    @pytest.mark.parametrize("text", ["", " ", "\n\t\r\n", "\u00a0\u2028\u3000"])
    def test_blanks_have_no_words(self, text: str) -> None:
        assert words_of(text) == []

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Straße STRASSE", ["strasse", "strasse"]),
            ("ΣΊΣΥΦΟΣ σίσυφος", ["σίσυφοσ", "σίσυφοσ"]),
            ("ﬁne Ｗｉｄｅ", ["fine", "wide"]),
            ("Ünder cafe\u0301", ["ünder", "café"]),
        ],
    )
    def test_the_same_word_in_another_form_is_the_same(self, text: str, words: list[str]) -> None:
        assert words_of(text) == words

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("80062", ["00000"]),
            ("٣٤ ४५ 12", ["00", "00", "00"]),
            ("1,000.50", ["0", ",", "000", ".", "00"]),
            ("win2day", ["win", "0", "day"]),
            ("x² 4th", ["x", "0", "0", "th"]),
        ],
    )
    def test_of_numbers_only_the_length_stays(self, text: str, words: list[str]) -> None:
        assert words_of(text) == words

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Don't DON’T", ["don't", "don't"]),
            ("rock'n'roll l’été", ["rock'n'roll", "l'été"]),
            ("'quoted' ‘so’", ["'", "quoted", "'", "‘", "so", "'"]),
            ("dogs' ''", ["dogs", "'", "'", "'"]),
        ],
    )
    def test_a_contraction_is_one_word_and_a_quotation_is_not(
        self, text: str, words: list[str]
    ) -> None:
        assert words_of(text) == words

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("हिन्दी भाषा में", ["हिन्दी", "भाषा", "में"]),
            ("பெண் மொழி", ["பெண்", "மொழி"]),
            ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
            ("مُحَمَّد في البيت", ["مُحَمَّد", "في", "البيت"]),
            ("e\u0331\u0301a", ["e\u0331\u0301a"]),
        ],
    )
    def test_marks_stay_with_their_letters(self, text: str, words: list[str]) -> None:
        expected = [unicodedata.normalize("NFKC", word) for word in words]
        assert words_of(text) == expected

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("東京tower", ["東", "京", "tower"]),
            ("ひらカナ", ["ひ", "ら", "カ", "ナ"]),
            ("ｶﾅ", ["カ", "ナ"]),
            ("ภาษา", ["ภ", "า", "ษ", "า"]),
            ("ที่นี่", ["ที่", "นี่"]),
            ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
            ("한국어 말", ["한국어", "말"]),
        ],
    )
    def test_where_words_have_no_space_between_each_sign_is_one(
        self, text: str, words: list[str]
    ) -> None:
        assert words_of(text) == words

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("hi😀👍🏽", ["hi", "😀", "👍", "🏽"]),
            ("so...", ["so", ".", ".", "."]),
            ("a_b", ["a", "_", "b"]),
            ("£5 c++", ["£", "0", "c", "+", "+"]),
        ],
    )
    def test_each_sign_is_a_word(self, text: str, words: list[str]) -> None:
        assert words_of(text) == words

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),  # Persian, parted within a word
            ("ශ්\u200dරී ලංකා", ["ශ්\u200dරී", "ලංකා"]),  # Sinhala, joined within a word
        ],
    )
    def test_a_joiner_that_is_not_seen_parts_no_word(self, text: str, words: list[str]) -> None:
        assert [seen(word) for word in words_of(text)] == [seen(word) for word in words]

    @pytest.mark.parametrize("text", ["\ufeffhi", "h\u00adi", "hi\u200b", "hi\ufe0f"])
    def test_what_is_not_seen_is_no_word(self, text: str) -> None:
        (word,) = words_of(text)
        assert word.strip("\ufe0f").replace("\u00ad", "") == "hi"

    def test_a_sign_that_chooses_colours_stays_with_its_sign(self) -> None:
        assert len(words_of("❤\ufe0f ok")) == 2

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("𠀀𠀁", ["𠀀", "𠀁"]),  # Chinese characters of the second plane
            ("𞤆𞥆𞤵", ["𞤨𞥆𞤵"]),  # Adlam, which doubles a letter by a mark
        ],
    )
    def test_signs_beyond_the_first_plane_are_as_others(self, text: str, words: list[str]) -> None:
        assert words_of(text) == words

    def test_a_long_text_takes_no_longer_than_its_length(self) -> None:
        assert words_of("a'" * 50_000)[-1] == "'"
        assert len(words_of("ab " * 50_000)) == 50_000
        assert len(words_of("a" + "\u0316" * 50_000)) == 1


class TestPieces:
    @given(ANY_TEXT.filter(str.strip))
    def test_they_give_the_text_back(self, text: str) -> None:
        joined = "".join(piece.word + piece.blank for piece in pieces_of(text))
        assert joined == text.strip()

    @given(ANY_TEXT.filter(str.strip))
    def test_words_and_blanks_are_parted(self, text: str) -> None:
        *inner, last = pieces_of(text)
        assert last.blank == ""
        for piece in [*inner, last]:
            assert piece.word
            assert not any(map(str.isspace, piece.word))
            assert piece.blank == "" or piece.blank.isspace()

    @given(st.text("abC'’1 !\n").filter(str.strip))
    def test_the_words_are_those_of_the_text(self, text: str) -> None:
        assert [words_of(piece.word) for piece in pieces_of(text)] == [
            [word] for word in words_of(text)
        ]

    def test_form_is_kept(self) -> None:
        assert pieces_of(" Ünd\r\n’s  80062!\t") == [
            ("Ünd", "\r\n"),
            ("’", ""),
            ("s", "  "),
            ("80062", ""),
            ("!", ""),
        ]

    @pytest.mark.parametrize("text", ["", " ", "\n\t\r\n", "\u00a0\u2028\u3000"])
    def test_blanks_have_none(self, text: str) -> None:
        assert pieces_of(text) == []
