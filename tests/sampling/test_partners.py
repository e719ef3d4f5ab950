"""Partners: near rows of the class, drawn anew each time; mixtures that keep the type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kilter._errors import ArgumentError
from kilter.sampling.indices import BalancedIndices
from kilter.sampling.partners import Partners, check_mixable
from kilter.sampling.rows import to_rows

RNG = np.random.default_rng(0)
Y = np.repeat([0, 1, 2], [100, 20, 1])
X = RNG.normal(size=(121, 4)).astype("float32")


@pytest.fixture
def indices() -> BalancedIndices:
    return BalancedIndices(Y, batch_size=30, seed=1)


def drawn(indices: BalancedIndices, partners: Partners) -> list[np.ndarray]:
    """Return the repeated rows of an epoch, their partners and shares."""
    found: list[list[np.ndarray]] = [[], [], []]
    for index in range(len(indices)):
        places, repeated = indices.seats(0, index)
        others, shares = partners.of(places[repeated], indices.chances(0, index)[repeated])
        rows = (indices.rows_at(places[repeated]), indices.rows_at(others), shares)
        for parts, part in zip(found, rows, strict=True):
            parts.append(part)
    return [np.concatenate(parts) for parts in found]


def nearest(row: int, k: int) -> list[int]:
    """Return the k nearest rows of the class, by brute force."""
    mates = np.flatnonzero((Y[row] == Y) & (np.arange(121) != row))
    distance = np.linalg.norm(X[mates].astype(float) - X[row], axis=1)
    return mates[np.argsort(distance)[:k]].tolist()


def test_partners_are_near_rows_of_the_class(indices: BalancedIndices) -> None:
    partners = Partners(to_rows(X), indices, k=3)
    partners.find(indices.quotas(0))
    rows, others, shares = drawn(indices, partners)
    assert set(Y[rows]) == {1, 2}  # class 0 is drawn less often than it has rows
    chosen = {
        nearest(row, 3).index(other)
        for row, other in zip(rows.tolist(), others.tolist(), strict=True)
        if row < 120
    }
    assert chosen == {0, 1, 2}
    assert (others[rows == 120] == 120).all()  # a class of one has no other
    assert 0 <= shares.min() < 0.1 < 0.9 < shares.max() < 1


def test_classes_are_searched_when_they_are_drawn_more_often(
    indices: BalancedIndices, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[int] = []
    monkeypatch.setattr(
        "kilter.sampling.partners.class_neighbors",
        lambda x, labels, k, verbose: searched.append(len(x)) or np.zeros((len(x), k), np.int32),
    )
    partners = Partners(to_rows(X), indices, k=3)
    partners.find(indices.quotas(0))
    partners.find(indices.quotas(0))
    assert searched == [20, 1]
    indices.draw = {0: 0.99, 1: 0.005, 2: 0.005}
    partners.find(indices.quotas(0))
    assert searched == [20, 1, 100]


def test_one_number_chooses_the_neighbour_and_the_share(indices: BalancedIndices) -> None:
    partners = Partners(to_rows(X), indices, k=4)
    partners.find(indices.quotas(0))
    place = int(indices.starts[1]) + 7
    row = int(indices.rows_at(place))
    last = np.nextafter(np.float32(1), np.float32(0))
    chances = np.array([0, 0.125, 0.25, 0.8125, last], "float32")
    others, shares = partners.of(np.full(5, place), chances)
    # times 4: 0, .5, 1, 3.25 and almost 4
    expected = [nearest(row, 4)[number] for number in (0, 0, 1, 3, 3)]
    assert indices.rows_at(others).tolist() == expected
    np.testing.assert_allclose(shares, [0, 0.5, 0, 0.25, 1], atol=1e-6)
    assert shares.max() < 1


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"a": to_rows(X)}, "`x` must be one array for SMOTE.*`augment=kilter.augment.Mixup"),
        ((to_rows(X), to_rows(X)), "got a structure of inputs"),
        (to_rows(Y), 'got int64, which may be categories or tokens.*`x.astype\\("float32"\\)`'),
        (to_rows(Y > 0), "got bool"),
        (to_rows(np.array(["a"])), "`x` must be floats"),
    ],
)
def test_what_has_no_mean_is_refused(x: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_mixable(x)
    check_mixable(to_rows(X.astype("uint8")))


def test_missing_numbers_have_no_neighbours(indices: BalancedIndices) -> None:
    holes = X.copy()
    holes[110] = np.nan
    with pytest.raises(ArgumentError, match="`x` must be finite for SMOTE"):
        Partners(to_rows(holes), indices, k=3).find(indices.quotas(0))
    holes = X.copy()
    holes[0] = np.nan  # of the class that is not searched
    Partners(to_rows(holes), indices, k=3).find(indices.quotas(0))
