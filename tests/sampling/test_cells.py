"""Cells: every row in one, products that are distances, and planes that never lie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from kilter.sampling.cells import (
    CrowdedError,
    cluster,
    nearest_cells,
    parts,
    plane_distances,
    scatter,
    spread,
    turns,
)


def clouds(dtype: type = np.float32) -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = 20 * rng.standard_normal((6, 1, 5)) + 1000
    return (centers + rng.standard_normal((6, 200, 5))).reshape(-1, 5).astype(dtype)


@pytest.mark.parametrize("deal", [scatter, lambda x: cluster(x, 16)], ids=["scatter", "cluster"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_row_lies_in_one_cell_and_its_product_is_its_distance(deal, dtype) -> None:
    x = clouds(dtype)
    cells = deal(x)
    assert sorted(cells.order) == list(range(len(x)))
    assert cells.ends[-1] == len(x)
    for cell in range(len(cells.ends)):
        rows = cells.rows(cell)
        query = np.ones((1, 7))
        query[0, :5] = (x[0] - cells.centers[cell]) / cells.scale
        query[0, 6] = (query[0, :5] ** 2).sum()
        squared = cells.products[rows] @ query.T * cells.scale**2
        expected = cdist(x[cells.order[rows]], x[:1].astype(float)) ** 2
        np.testing.assert_allclose(squared, expected, rtol=1e-3, atol=1e-2)


def test_a_row_lies_in_the_cell_of_its_nearest_center() -> None:
    x = clouds(np.float64)
    cells = cluster(x, 16)
    to_centers = cdist(x, cells.centers)
    np.testing.assert_array_equal(cells.home, to_centers.argmin(axis=1))
    np.testing.assert_array_equal(cells.sizes, np.bincount(cells.home, minlength=16))
    np.testing.assert_array_equal(nearest_cells(cells, x), cells.home)
    place = np.take_along_axis(to_centers, np.argsort(turns(cells, x), axis=1), axis=1)
    assert (np.diff(place, axis=1) >= 0).all()  # turn by turn the centres are farther away


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("offset", [0, 1e4])
def test_no_row_of_a_cell_is_nearer_than_its_plane(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((600, 4)) * [1, 1, 5, 0.1] + offset).astype(np.float32)
    queries = (rng.standard_normal((50, 4)) * 3 + offset).astype(np.float32)
    cells = cluster(x, 12)
    home, lower = plane_distances(cells, queries)
    to_centers = cdist(queries.astype(float), cells.centers.astype(float))
    np.testing.assert_array_equal(home, to_centers.argmin(axis=1))
    squared = cdist(queries.astype(float), x.astype(float)) ** 2
    spared = 0
    for cell in range(12):
        nearest = squared[:, cells.order[cells.rows(cell)]].min(axis=1)
        assert (lower[:, cell] * cells.scale**2 <= nearest).all()
        spared += (lower[:, cell] > 0).sum()
    assert spared > 100  # or nothing was said


def test_probes_leave_the_nearest_centers_only() -> None:
    x = clouds()
    cells = cluster(x, 16)
    _, lower = plane_distances(cells, x[:40], probes=3)
    to_centers = cdist(x[:40], cells.centers)
    for row in range(40):
        seen = np.flatnonzero(np.isfinite(lower[row]))
        assert set(seen) == set(np.argsort(to_centers[row])[:3])


def test_arbitrary_cells_spare_nothing() -> None:
    _, lower = plane_distances(scatter(clouds()), clouds()[:3])
    assert (lower == 0).all()


def test_parts_cover_the_length() -> None:
    assert [(part.start, part.stop) for part in parts(7, 3)] == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize("seed", range(3))
def test_two_centres_that_are_all_but_one_do_not_lie(seed: int) -> None:
    # Squares of centres far from the middle leave nothing of their distance in float32.
    rng = np.random.default_rng(seed)
    clumps = np.array([[900.0, 0], [-900, 0]])[rng.integers(2, size=400)]
    x = clumps + 1e-2 * rng.standard_cauchy((400, 2))
    cells = cluster(x, 40)
    _, lower = plane_distances(cells, x)
    squared = cdist(x, x) ** 2
    for cell in np.flatnonzero(cells.sizes):
        nearest = squared[:, cells.order[cells.rows(cell)]].min(axis=1)
        assert (lower[:, cell] * cells.scale**2 <= nearest).all()


def test_the_scale_covers_the_queries_too() -> None:
    x, queries = np.zeros((3, 2)), np.array([[0.0, 5.0]])
    assert spread(x)[1] == 1
    assert spread(x, queries)[1] == 8
    for most in (3e38, 1e-38):  # differences of such numbers are beyond float32
        with pytest.raises(CrowdedError):
            spread(np.array([[0.0], [most]], np.float32))
