import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kilter.data import audit, load
from kilter.data.leaks import roc_auc
from made_data import make_dataset


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
