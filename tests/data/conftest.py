from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

TABLES = Path(__file__).resolve().parents[3] / "shared/data"


@pytest.fixture
def table_path() -> Callable[[str], Path]:
    """Return where a real table lies; skip the test where it does not."""

    def find(name: str) -> Path:
        path = TABLES / f"{name}.parquet"
        if not path.exists():
            pytest.skip(f"the table {path} is not here")
        return path

    return find


@pytest.fixture
def frame() -> pd.DataFrame:
    """Return four rows with a column of every kind."""
    return pd.DataFrame(
        {
            "age": [31, 54, None, 22],
            "city": ["Rome", None, "Oslo", "Rome"],
            "member": pd.array([True, False, None, True], "boolean"),
            "since": pd.to_datetime(
                ["2024-01-31 05:00", None, "1969-12-31 00:00", "2000-02-29 23:59"]
            ),
            "same": [1, 1, 1, 1],
            "target": ["no", "yes", "no", "no"],
        }
    )


@pytest.fixture
def skewed() -> pd.DataFrame:
    """Return 400 rows, 20 of them of the rarer class."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=400),
            "word": rng.choice(["a", "b", "c"], 400),
            "same": "s",
            "target": np.repeat(["often", "rare"], [380, 20]),
        }
    )
