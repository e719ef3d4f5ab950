import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kilter._errors import ArgumentError
from kilter.data import audit, audit_lines, inspect, load, split
from made_data import make_dataset
from made_images import draw, make_images, save_folder
from made_texts import make_texts


def test_what_json_can_hold(skewed):
    report = audit(load(skewed, "target"))
    assert json.loads(json.dumps(report)) == report


def test_counts(skewed):
    skewed.loc[:99, "x"] = np.nan
    skewed.loc[0, "word"] = None
    report = audit(load(skewed.assign(nothing=np.nan), "target"))
    assert report["rows"] == 400
    assert report["columns"] == {"number": 1, "category": 1}
    assert report["classes"] == [
        {"label": "rare", "rows": 20, "share": 0.05},
        {"label": "often", "rows": 380, "share": 0.95},
    ]
    assert report["imbalance_ratio"] == 19
    assert report["missing"] == {"x": 100, "word": 1}
    assert report["constant"] == ["same"]
    assert report["empty"] == ["nothing"]
    assert report["leaks"] == {}


def test_clean_data_has_one_warning_about_its_few_rows(skewed):
    report = audit(load(skewed.drop(columns="same"), "target"))
    assert len(report["warnings"]) == 1
    assert "With 20 rows of class `rare`" in report["warnings"][0]


@pytest.mark.parametrize("name", ["adult", "page-blocks", "car"])
def test_duplicates_as_pandas_has_them(table_path, name):
    frame = pd.read_parquet(table_path(name))
    twin = frame.duplicated(list(frame.columns.drop("target")), keep=False)
    both = frame.duplicated(keep=False)
    labels = frame.groupby(list(frame.columns.drop("target")), dropna=False)["target"]
    report = audit(load(frame, "target"))
    assert report["duplicates"]["rows"] == twin.sum() >= both.sum()
    assert report["duplicates"]["conflicting"] == (labels.transform("nunique") > 1).sum()


def test_dates_count_once_when_missing():
    rows = {"d": pd.to_datetime(["2024-01-01", None, "2024-03-01"] * 5), "y": [0, 1, 1] * 5}
    assert audit(load(pd.DataFrame(rows), "y"))["missing"] == {"d": 5}


def test_identifiers():
    rng = np.random.default_rng(0)
    rows = {
        "id": rng.permutation(100),
        "name": [f"n{at // 1.5:.0f}" for at in range(100)],
        "x": rng.normal(size=100),
        "word": ["a", "b"] * 50,
        "y": np.arange(100) % 4 == 0,
    }
    report = audit(load(pa.table(rows), "y"))
    assert report["identifiers"] == ["name", "id"]
    assert any("`name`, `id` is different in most rows" in line for line in report["warnings"])


class TestClaim:
    def test_half_width_by_hand(self):
        claim = audit(make_dataset(np.repeat([0, 1], [500, 100])))["claim"]
        # tau = 1 / sqrt(100 / 4) = .2; sigmoid(.392) = .59676
        assert claim["ap_half_width"] == pytest.approx(0.09676, abs=1e-5)
        assert claim["class"] == "class1"

    @pytest.mark.parametrize(("rows", "folds"), [(5, 0), (6, 3), (21, 10), (400, 50)])
    def test_folds_that_are_possible(self, rows, folds):
        data = make_dataset(np.repeat([0, 1], [500, rows]))
        assert audit(data)["claim"]["max_folds"] == folds
        if folds:
            split(data, folds)


def test_real_tables(table_path):
    for name in ("mammography", "sick", "bank", "phoneme", "satimage-2", "sms"):
        report = audit(load(table_path(name), "target"))
        assert json.dumps(report, allow_nan=False)
        assert audit_lines(report)
    assert report["identifiers"] == ["text"]


class TestImages:
    def test_what_json_can_hold(self):
        held_out = np.arange(200) >= 150
        report = audit(make_images(np.arange(200) % 3, held_out=held_out))
        assert json.loads(json.dumps(report, allow_nan=False)) == report

    def test_what_there_is_no_column_for(self):
        report = audit(make_images(np.repeat([0, 1], [90, 10]), draw(100, 4, 5, 3)))
        assert report["image"] == {"height": 4, "width": 5, "channels": 3}
        assert report["columns"] == {"image": 1}
        assert report["missing"] == report["leaks"] == {}
        assert report["constant"] == report["empty"] == report["identifiers"] == []
        assert report["broken"] == []
        assert report["held_out"] is None
        assert report["imbalance_ratio"] == 9

    def test_tables_have_no_image(self, skewed):
        report = audit(load(skewed, "target"))
        assert report["image"] is report["held_out"] is None
        assert report["broken"] == []

    def test_twins_and_those_with_another_label(self):
        pixels = draw(40, 4, 5, 1)
        pixels[1], pixels[3:5] = pixels[0], pixels[2]
        labels = np.repeat([0, 1], 20)
        labels[4] = 1
        assert audit(make_images(labels, pixels))["duplicates"] == {"rows": 5, "conflicting": 3}

    def test_from_a_folder(self, tmp_path):
        save_folder(tmp_path / "train", "a", "b", count=20)
        save_folder(tmp_path / "test", "a", "b", count=10)
        (tmp_path / "train" / "a" / "0.png").write_bytes(b"")
        report = inspect(tmp_path, size=4, broken="skip")
        assert report["image"] == {"height": 4, "width": 4, "channels": 1}
        assert report["broken"] == ["train/a/0.png"]
        assert report["held_out"] == {"rows": 20, "twins": 0, "classes": []}
        assert report["classes"] == [
            {"label": "a", "rows": 19, "share": 19 / 39},
            {"label": "b", "rows": 20, "share": 20 / 39},
        ]
        with pytest.raises(ArgumentError, match="`target` is for tables"):
            inspect(tmp_path, "label")


class TestHeldOut:
    def held(self, learned, tested):
        labels = np.concatenate([np.repeat(np.arange(len(n)), n) for n in (learned, tested)])
        return replace(make_dataset(labels), held_out=np.arange(len(labels)) >= sum(learned))

    def test_classes_are_of_the_rows_to_learn_from(self):
        report = audit(self.held([300, 100], [10, 90]))
        assert [entry["rows"] for entry in report["classes"]] == [100, 300]
        assert [entry["share"] for entry in report["classes"]] == [0.25, 0.75]
        assert report["imbalance_ratio"] == 3
        assert report["rows"] == 500

    def test_a_claim_rests_on_the_rows_to_test_on(self):
        claim = audit(self.held([300, 100], [60, 30]))["claim"]
        alone = audit(make_dataset(np.repeat([0, 1], [60, 30])))["claim"]
        assert (claim["class"], claim["rows"]) == ("class1", 30)
        assert claim["ap_half_width"] == alone["ap_half_width"]
        assert claim["max_folds"] == 30

    def test_the_rarest_class_may_not_be_tested_at_all(self):
        report = audit(self.held([300, 100, 50], [60, 30, 0]))
        assert report["claim"] == {
            "class": "class2",
            "rows": 0,
            "ap_half_width": 0.5,
            "max_folds": 0,
        }
        assert report["warnings"][0].startswith("Class `class2` has 0 rows to test on, too few")

    def test_twins_of_what_is_tested(self):
        data = self.held([30, 30], [30, 30])
        data.features.numbers[:5] = data.features.numbers[70]
        data.features.numbers[5:7] = 1000
        assert audit(data)["held_out"]["twins"] == 5
        assert len(split(data)[0].train) + len(split(data)[0].validation) == 55

    @pytest.mark.parametrize(
        ("learned", "tested", "apart"),
        [
            ([3000, 1000], [300, 100], []),
            ([3000, 1000], [190, 210], ["class0", "class1"]),
            ([3000, 1000, 2000], [310, 190, 200], ["class1"]),
            ([3000, 1000, 100], [300, 100, 100], ["class2"]),
            ([3000, 40], [300, 2], []),  # half as many as expected, by chance
            ([3000, 40], [300, 30], ["class1"]),
            ([3000, 400], [3000, 40], ["class1"]),
        ],
    )
    def test_classes_with_another_share(self, learned, tested, apart):
        assert audit(self.held(learned, tested))["held_out"]["classes"] == apart

    def test_parts_of_one_population_are_seldom_called_apart(self):
        rng = np.random.default_rng(0)
        shares = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.02])
        calls = 0
        for _ in range(100):
            learned, tested = (rng.multinomial(n, shares) + 3 for n in (800, 400))
            calls += bool(audit(self.held(learned, tested))["held_out"]["classes"])
        assert calls <= 5

    @pytest.mark.parametrize("learned", [2, 3])
    def test_folds_that_are_possible(self, learned):
        data = self.held([300, learned], [60, 30])
        most = audit(data)["claim"]["max_folds"]
        assert most == (0 if learned < 3 else 30)
        if most:
            split(data, most)


class TestTexts:
    def test_what_json_can_hold(self) -> None:
        held_out = np.arange(200) >= 150
        report = audit(make_texts(np.arange(200) % 3, held_out=held_out))
        assert json.loads(json.dumps(report, allow_nan=False)) == report

    def test_how_many_words_there_are(self) -> None:
        texts = ["Free entry!", "free", "see you at noon 47", "See\tyou at noon 12", "ok"]
        report = audit(make_texts([0, 0, 0, 1, 1], texts))
        # 3, 1, 5, 5 and 1 of: free entry ! see you at noon 00 ok
        assert report["text"] == {"words": 3, "most": 5, "different": 9}

    def test_what_there_is_no_column_for(self) -> None:
        report = audit(make_texts(np.repeat([0, 1], [90, 10])))
        assert report["columns"] == {"text": 1}
        assert report["missing"] == report["leaks"] == {}
        assert report["constant"] == report["empty"] == report["identifiers"] == []
        assert report["image"] is report["held_out"] is None
        assert report["imbalance_ratio"] == 9

    def test_tables_and_images_have_none(self, skewed: pd.DataFrame) -> None:
        for data in (load(skewed, "target"), make_images(np.repeat([0, 1], [20, 10]))):
            assert audit(data)["text"] is None

    def test_texts_without_a_word_are_missing(self) -> None:
        report = audit(make_texts([0, 1, 0, 1, 1], ["a", "", " \n", "\u00a0", "!"]))
        assert report["missing"] == {"note": 3}
        assert "missing note: 3 rows (60.0%)" in audit_lines(report)

    def test_all_may_be_missing(self) -> None:
        report = audit(make_texts([0, 1], ["", ""]))
        assert report["text"] == {"words": 0, "most": 0, "different": 0}

    def test_twins_and_those_with_another_label(self) -> None:
        texts = ["Win it", "win IT", "see you", "ok 12", "OK  99", "win it!"]
        report = audit(make_texts([0, 0, 1, 0, 1, 1], texts))
        assert report["duplicates"] == {"rows": 4, "conflicting": 2}

    def test_twins_of_what_is_tested(self) -> None:
        texts = ["see you", "SEE you", "ok", "late", "see  you", "no"]
        held_out = np.arange(6) >= 4
        report = audit(make_texts([0, 0, 1, 1, 0, 1], texts, held_out=held_out))
        assert report["held_out"] == {"rows": 2, "twins": 2, "classes": []}

    def test_out_of_a_table(self) -> None:
        rows = {
            "note": [f"{word} at noon" for word in ("come", "go", "wait", "eat")] * 10,
            "hour": list(range(40)),
            "spam": [0, 0, 0, 1] * 10,
        }
        report = inspect(pd.DataFrame(rows), "spam", text="note")
        assert report["text"] == {"words": 3, "most": 3, "different": 6}
        assert report["duplicates"] == {"rows": 40, "conflicting": 0}
        assert report["identifiers"] == []
        assert inspect(pd.DataFrame(rows), "spam")["text"] is None
