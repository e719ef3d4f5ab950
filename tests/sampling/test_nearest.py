"""How a search runs: the way it takes, the recall it measures, the threads it uses."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from kilter.sampling import nearest
from kilter.sampling.cells import cluster, shuffled
from kilter.sampling.nearest import Search, find
from kilter.sampling.search import Scan


@pytest.fixture(autouse=True)
def _plan_small_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "SMALL", 1000)
    monkeypatch.setattr(nearest, "CHUNK", 300)


def clouds() -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = 30 * rng.standard_normal((20, 1, 6))
    return (centers + rng.standard_normal((20, 150, 6))).reshape(-1, 6).astype(np.float32)


def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2000, 24)).astype(np.float32)


def truth(x: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    squared = ((queries[:, None].astype(float) - x[None].astype(float)) ** 2).sum(axis=2)
    return np.argsort(squared, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("make", [clouds, noise])
@pytest.mark.parametrize("threads", [1, 2, None])
@pytest.mark.parametrize("own", [False, True])
def test_an_exact_search_is_exact_whatever_way_it_takes(make, threads, own) -> None:
    x = make()
    queries = x[::7] + np.float32(0.01)
    found = find(Search(x, None if own else queries, 4, threads=threads))
    assert found.recall == 1
    np.testing.assert_array_equal(found.rows[:100], truth(x, x if own else queries, 4)[:100])


@pytest.mark.parametrize("make", [clouds, noise, lambda: np.ones((2000, 3))])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_queries_are_searched_among_some_rows_only(make, threads, device, monkeypatch) -> None:
    monkeypatch.setattr(nearest.device, "takes", lambda device, _: device == "gpu")
    x = make()
    among = np.random.default_rng(1).permutation(len(x))[:1200]
    queries = x[::3]
    found = find(Search(x, queries, 4, threads=threads, device=device, among=among))
    expected = np.sort(((queries[:, None] - x[among].astype(float)) ** 2).sum(axis=2), axis=1)
    np.testing.assert_allclose(found.distances**2, expected[:, :4], rtol=1e-5, atol=1e-9)
    assert np.isin(found.rows, among).all()
    reached = np.linalg.norm(queries[:, None].astype(float) - x[found.rows], axis=2)
    np.testing.assert_allclose(reached, found.distances)


@pytest.mark.parametrize("rows", [1025, 2049, 8193])
@pytest.mark.parametrize("k", [1, 6, 9])
def test_a_row_more_than_cells_hold_is_no_reason_to_search_elsewhere(rows, k, monkeypatch) -> None:
    monkeypatch.setattr(nearest, "_plain", None)
    x = np.random.default_rng(0).standard_normal((rows, 30)).astype(np.float32)
    found = find(Search(x, None, k))
    np.testing.assert_array_equal(found.rows[-50:], truth(x, x[-50:], k))


@pytest.mark.parametrize("threads", [1, 40, 160])
def test_lone_rows_are_searched_on_as_many_threads_as_there_are(threads, monkeypatch) -> None:
    monkeypatch.setattr(nearest, "_plain", None)
    rng = np.random.default_rng(0)
    blobs = 100 * rng.standard_normal((20, 1, 6)) + rng.standard_normal((20, 900, 6))
    x = np.vstack([blobs.reshape(-1, 6), 1000 * rng.standard_normal((600, 6))]).astype(np.float32)
    queries = x[rng.permutation(len(x))[:160]]
    found = find(Search(x, queries, 4, threads=threads))
    np.testing.assert_array_equal(found.rows, truth(x, queries, 4))


def test_a_row_that_is_not_searched_has_no_say_in_how(monkeypatch) -> None:
    monkeypatch.setattr(nearest, "_plain", None)
    x = noise()
    x[0] = 1e30
    found = find(Search(x, x[1:90], 4, among=np.arange(1, len(x))))
    np.testing.assert_array_equal(found.rows, 1 + truth(x[1:], x[1:90], 4))


def test_there_may_be_more_threads_than_queries() -> None:
    found = find(Search(noise(), noise()[:3], 4, threads=8))
    np.testing.assert_array_equal(found.rows, truth(noise(), noise()[:3], 4))


@pytest.mark.parametrize("recall", [0.9, 1.0])
def test_a_recall_among_some_rows_is_measured_on_these(recall: float) -> None:
    x = np.random.default_rng(0).standard_normal((12_000, 6)).astype(np.float32)
    among, queries = np.arange(3000, 12_000), x[:3000]
    found = find(Search(x, queries, 5, recall=recall, among=among))
    expected = among[truth(x[among], queries[:500], 5)]
    hits = (found.rows[:500, :, None] == expected[:, None]).any(axis=1).mean()
    assert hits == pytest.approx(found.recall, abs=0.03)
    assert (found.recall == 1) == (recall == 1)


@pytest.mark.parametrize(("make", "scanned_all"), [(clouds, False), (noise, True)])
def test_cells_are_used_where_they_spare_distances(make, scanned_all, monkeypatch) -> None:
    ways = []
    whole = nearest._scan_all
    monkeypatch.setattr(nearest, "_scan_all", lambda *args: ways.append("all") or whole(*args))
    find(Search(make(), None, 4))
    assert ways == ["all"] * scanned_all


@pytest.mark.parametrize("recall", [0.5, 0.6, 0.9])
def test_an_approximate_search_has_the_recall_that_it_says(recall: float, capsys) -> None:
    x = np.random.default_rng(0).standard_normal((8000, 8)).astype(np.float32)
    found = find(Search(x, None, 6, recall=recall, verbose=True))
    rows = shuffled(len(x))[:-512]  # none of those that the recall was measured on
    rows = rows[:: len(rows) // 2000]
    expected = truth(x, x[rows], 6)
    hits = (found.rows[rows, :, None] == expected[:, None]).any(axis=1)
    hits = hits[expected != rows[:, None]]  # a row itself is no find
    assert recall <= found.recall < 1
    assert abs(hits.mean() - found.recall) < 0.02
    assert f"recall {found.recall:.3f} measured on 512 rows" in capsys.readouterr().err


@pytest.mark.parametrize("own", [False, True])
def test_the_recall_of_a_trial_is_what_its_cells_find(own: bool) -> None:
    x = np.random.default_rng(0).standard_normal((5000, 4)).astype(np.float32)
    queries = None if own else x[:700] + np.float32(0.1)
    search, cells = Search(x, queries, 5, recall=0.95), cluster(x, 40)
    trial = nearest._try(search, cells, nearest.Crew(1, map))
    sample = shuffled(len(search.asked))[-512:]
    expected = truth(x, search.asked[sample], 5)
    counts = expected != sample[:, None] if own else np.ones_like(expected, bool)

    def recall(probes: int, part: slice) -> float:
        found = Scan(cells, search.asked[sample[part]], 5, probes).run()[1]
        hits = (found[:, :, None] == expected[part, None]).any(axis=1)
        return float(hits[counts[part]].mean())

    assert trial.probes is not None
    assert recall(trial.probes, slice(None)) == pytest.approx(trial.recall)
    halves = slice(256), slice(256, None)
    assert min(recall(trial.probes, half) for half in halves) >= 0.95
    assert min(recall(trial.probes - 1, half) for half in halves) < 0.95  # as few as can be


def test_a_trial_on_threads_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((5000, 4)).astype(np.float32)
    search, cells = Search(x, None, 5, recall=0.95), cluster(x, 40)
    alone = nearest._try(search, cells, nearest.Crew(1, map))
    monkeypatch.setattr(nearest, "SHARED", 0)
    with ThreadPoolExecutor(3) as pool:
        assert nearest._try(search, cells, nearest.Crew(3, pool.map)) == alone


def test_an_approximate_search_that_would_spare_nothing_is_exact(capsys) -> None:
    found = find(Search(noise(), None, 4, recall=0.999, verbose=True))
    assert found.recall == 1
    assert capsys.readouterr().err == ""


def test_searches_beside_each_other_leave_blas_as_it_was() -> None:
    def threads() -> int:
        return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    with threadpool_limits(2, user_api="blas"):
        one, other = nearest._crew(None), nearest._crew(None)
        with one as mine:
            second = other.__enter__()
        assert (mine.threads, second.threads, threads()) == (2, 2, 1)
        other.__exit__(None, None, None)
        assert threads() == 2


def test_threads_are_those_of_blas() -> None:
    with threadpool_limits(1, user_api="blas"), nearest._crew(None) as crew:
        assert crew.threads == 1
    with nearest._crew(3) as crew:
        assert crew.threads == 3


def test_a_long_search_shows_its_progress_in_a_terminal_only(monkeypatch, capsys) -> None:
    monkeypatch.setattr(nearest, "LONG", 0)
    find(Search(noise(), None, 4, verbose=True))
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes anything for a terminal then
    find(Search(noise(), None, 4, verbose=True))
    assert "nearest neighbours" in capsys.readouterr().err
    find(Search(noise(), None, 4, verbose=False))
    assert capsys.readouterr().err == ""


def crowds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 5))
    far = x.copy()
    far[7] = 1e6
    return {
        "all equal": np.ones((3000, 5)),
        "three points": x[rng.integers(3, size=3000)],
        "whole numbers": np.round(x[:, :1]),
        "one far row": far,
        "half zero": x * (rng.random((3000, 1)) < 0.5),
        "beyond float32": 1e20 * far**8,
        "far too far": np.where(far > 1e5, 1e60, far),
        "tiny": 1e-300 * x,
    }


@pytest.mark.parametrize("name", list(crowds()))
@pytest.mark.parametrize("own", [False, True])
def test_tables_that_float32_cannot_screen_are_searched_all_the_same(name, own) -> None:
    x = crowds()[name]
    start = time.perf_counter()
    found = find(Search(x, None if own else x[:500], 4))
    assert time.perf_counter() - start < 10  # it was minutes where candidates piled up
    squared = ((x[:200, None] - x[None]) ** 2).sum(axis=2)
    expected = np.sqrt(np.sort(squared, axis=1)[:, :4])
    np.testing.assert_allclose(found.distances[:200], expected, rtol=1e-6, atol=1e-6)


def test_queries_far_from_all_rows_are_searched_all_the_same() -> None:
    x = np.random.default_rng(0).random((3000, 3))
    queries = np.array([[1e40, 0, 0], [0, 1e39, 0], [0.5, 0.5, 0.5]])
    for kind in (np.float64, np.float32):
        found = find(Search(x.astype(kind), queries, 3)).rows
        np.testing.assert_array_equal(found[2], truth(x.astype(kind), queries[2:], 3)[0])
        assert [len(set(row)) for row in found.tolist()] == [3, 3, 3]


def test_a_few_rows_are_searched_for_many_queries() -> None:
    x = np.arange(5.0)[:, None]
    queries = np.linspace(0, 4, 9001)[:, None]
    found = find(Search(x, queries, 1)).rows[:, 0]
    np.testing.assert_allclose(abs(queries[:, 0] - found), abs(queries - x.T).min(axis=1))
