import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kilter.data import audit, audit_lines, load, split
from made_data import make_dataset


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
