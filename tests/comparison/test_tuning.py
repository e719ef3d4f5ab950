"""From a table to the best of many candidates: what it takes, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kilter
from kilter._errors import ArgumentError
from kilter.comparison import nested

QUICK: dict[str, Any] = {"folds": 2, "seeds": 2, "epochs": 3, "hidden": (4,), "members": 2}


@pytest.fixture(autouse=True)
def quickly(quick, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "find_executor", lambda *given: quick)


def test_it_is_for_tables(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"`tune` is for tables, and got a folder\. Use `kilt"):
        kilter.tune(tmp_path, "y")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "`trials` must be"),
        ({"networks": ["tabn"]}, "`networks` must be some of tabm, mlp; got tabn"),
        ({"networks": []}, "`networks` must be some of tabm, mlp; got none"),
        ({"netwrok": "mlp"}, "there is no setting `netwrok`"),
        ({"network": "mlp"}, "`tune` takes no `network`, as it searches over `networks`"),
        ({"remedies": "focal"}, "`tune` takes no `remedies`"),
    ],
)
def test_errors(table_of: Callable, given: dict, message: str) -> None:
    with pytest.raises((ArgumentError, TypeError), match=message):
        kilter.tune(table_of(), "target", **given)


def test_a_network_of_ones_own_and_the_files(quick, table_of: Callable, tmp_path: Any) -> None:
    import keras

    def build(width: int, n_classes: int) -> keras.Model:
        return keras.Sequential([keras.Input((width,)), keras.layers.Dense(n_classes)])

    result = kilter.tune(
        table_of(2, "text"), "target", trials=4, build=build, out=tmp_path / "out", **QUICK
    )
    assert {one["candidate"][:4] for one in result.summary["search"]["candidates"]} == {"own:"}
    model = kilter.load(tmp_path / "out" / "model.kilter")
    assert model.predict_proba(table_of(2, "text")).shape == (300, 2)
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
