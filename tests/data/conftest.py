from collections.abc import Callable
from pathlib import Path

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
