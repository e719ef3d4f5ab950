import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kilter.data import audit, audit_lines, load, split
from kilter.data.leaks import roc_auc
from made_data import make_dataset


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=400),
            "word": rng.choice(["a", "b", "c"], 400),
            "same": "s",
            "target": np.repeat(["often", "rare"], [380, 20]),
        }
    )


def test_what_json_can_hold(frame):
    report = audit(load(frame, "target"))
    assert json.loads(json.dumps(report)) == report


def test_counts(frame):
    frame.loc[:99, "x"] = np.nan
    frame.loc[0, "word"] = None
    report = audit(load(frame, "target"))
    assert report["rows"] == 400
    assert report["columns"] == {"number": 1, "category": 1}
    assert report["classes"] == [
        {"label": "rare", "rows": 20, "share": 0.05},
        {"label": "often", "rows": 380, "share": 0.95},
    ]
    assert report["imbalance_ratio"] == 19
    assert report["missing"] == {"x": 100, "word": 1}
    assert report["constant"] == ["same"]
    assert report["leaks"] == {}


def test_clean_data_has_one_warning_about_its_few_rows(frame):
    report = audit(load(frame.drop(columns="same"), "target"))
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


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), levels=st.integers(2, 500))
def test_roc_auc_as_scikit_learn(seed, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, 200)
    positive = np.arange(200) < rng.integers(1, 199)
    assert roc_auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


class TestLeaks:
    def leaks(self, **columns) -> dict[str, float]:
        rng = np.random.default_rng(1)
        rows = {"noise": rng.normal(size=600), **columns, "y": self.labels}
        return audit(load(pd.DataFrame(rows), "y"))["leaks"]

    labels = np.repeat([0, 1, 2], [300, 270, 30])

    def test_a_number_in_either_direction(self):
        noise = np.random.default_rng(0).uniform(0, 0.9, 600)
        assert self.leaks(up=(self.labels == 2) + noise) == {"up": 1.0}
        assert self.leaks(down=noise - (self.labels == 2)) == {"down": 1.0}

    def test_a_code_of_the_class_that_lies_between_the_others(self):
        assert self.leaks(code=np.array([0, 2, 1])[self.labels]) == {"code": 1.0}

    def test_a_word_and_a_flag(self):
        found = self.leaks(
            word=np.array(["a", "b", "c"])[self.labels], flag=pd.array(self.labels == 2)
        )
        assert found == {"word": 1.0, "flag": 1.0}

    def test_missing_values(self):
        amount = np.random.default_rng(0).normal(size=600)
        amount[self.labels == 2] = np.nan
        assert self.leaks(amount=amount) == {"amount": 1.0}

    def test_an_identifier_is_no_leak(self):
        assert self.leaks(name=[f"n{at}" for at in range(600)]) == {}

    def test_a_date(self):
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(600), "D")
        rows = {"when": days, "y": self.labels}
        report = audit(load(pd.DataFrame(rows), "y"))
        assert "when.days" in report["leaks"]
        assert "`--drop when`" in report["warnings"][0]

    def test_almost_perfect_is_named_with_its_figure(self):
        noise = np.random.default_rng(0).normal(size=600)
        column = (self.labels == 2) * 8 + noise
        column[-1] = -5
        rows = {"x": column, "y": self.labels}
        expected = roc_auc_score(self.labels == 2, column)
        found = audit(load(pd.DataFrame(rows), "y"))["leaks"]
        assert (expected >= 0.995) == ("x" in found)

    def test_too_few_rows_to_tell(self):
        labels = np.repeat([0, 1], [100, 4])
        assert audit(make_dataset(labels))["leaks"] == {}


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


def test_lines_say_it_all(frame):
    frame["copy"] = frame["target"]
    frame.loc[:250, "x"] = np.nan
    text = "\n".join(audit_lines(audit(load(frame, "target"))))
    for said in (
        "table: 400 rows, 1 number column, 2 category columns",
        "class rare: 20 rows (5.00%)",
        "imbalance 19.0 : 1",
        "missing x: 251 rows (62.7%)",
        "! Alone, `copy` (AUC 1.000) tells class `rare`",
        "`x` is missing in most rows",
        "`same` has one value only",
    ):
        assert said in text


def test_real_tables(table_path):
    for name in ("mammography", "sick", "bank", "phoneme", "satimage-2", "sms"):
        drop = ["TBG"] if name == "sick" else []
        report = audit(load(table_path(name), "target", drop=drop))
        assert json.dumps(report, allow_nan=False)
        assert audit_lines(report)
    assert report["identifiers"] == ["text"]
