"""KMeans-SMOTE."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from kilter._errors import ArgumentError
from kilter.sampling.base import Origins
from kilter.sampling.cells import facing, parts, scatter
from kilter.sampling.draws import largest_remainder
from kilter.sampling.smote import SMOTE
from kilter.sampling.synthetic import as_neighbors, pick

BLOCK = 1024  # rows whose distances are added up at once
SAMPLE = 20_000  # rows that clusters are found on
CLUSTERS = 8  # of a class
CLUSTER_ROWS = 6  # on average, or there are fewer


class KMeansSMOTE(SMOTE):
    """SMOTE within clusters that hold enough of a rare class, more where it is sparse.

    Use it where a rare class lies in several places, or among outliers of others: no new row
    lies between two clusters, and none where the class is nearly absent.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in `SMOTE`.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    k_neighbors : int or neighbour estimator
        How many neighbours a partner is drawn from. An estimator counts the row itself.
    kmeans_estimator : int or estimator, optional
        How many clusters, or what finds them. A number, 8 if not given, is that of k-means on
        20,000 of the rows.
    cluster_balance_threshold : "auto" or float
        Clusters with a smaller share of the class are left alone. "auto" is half of the share
        that the class has of all rows that are made.
    density_exponent : "auto" or float
        The power of the mean distance within a cluster that says how sparse the class is
        there. "auto" is 0.16 times the logarithm of the number of rows to the base 1.6, to the
        power of 1.8, as in imbalanced-learn.
    small_class : {"warn", "error"}
        As in `SMOTE`. Clusters with no more than k rows of the class are left alone.

    Raises
    ------
    ArgumentError
        If no cluster holds enough of a class, a row has several labels, or a class is too
        small and that is to be an error.

    Notes
    -----
    Shares of clusters are worked out as logarithms: powers of distances overflow.

    References
    ----------
    Douzas, Bacao, Last: Improving imbalanced learning through a heuristic oversampling method
    based on k-means and SMOTE, Information Sciences 2018.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> x, y = make_blobs([300, 20, 20], centers=[[0, 0], [9, 9], [9, -9]], random_state=0)
    >>> y = (y > 0).astype(int)  # the rare class lies in two places
    >>> x2, y2 = KMeansSMOTE(kmeans_estimator=3, random_state=0).fit_resample(x, y)
    >>> bool((abs(x2[340:, 1]) > 5).all())  # and no new row lies between them
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **SMOTE._parameter_constraints,
        "kmeans_estimator": [
            HasMethods(["fit", "predict"]),
            Interval(numbers.Integral, 1, None, closed="left"),
            None,
        ],
        "cluster_balance_threshold": [StrOptions({"auto"}), numbers.Real],
        "density_exponent": [StrOptions({"auto"}), numbers.Real],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        k_neighbors: Any = 2,
        kmeans_estimator: Any = None,
        cluster_balance_threshold: Any = "auto",
        density_exponent: Any = "auto",
        small_class: str = "warn",
    ) -> None:
        super().__init__(
            sampling_strategy=sampling_strategy,
            random_state=random_state,
            k_neighbors=k_neighbors,
            small_class=small_class,
        )
        self.kmeans_estimator = kmeans_estimator
        self.cluster_balance_threshold = cluster_balance_threshold
        self.density_exponent = density_exponent

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        self._clusters = self._cluster(X, generator)
        return super()._fit_resample(X, y, generator)

    def _cluster(self, X: Any, generator: np.random.Generator) -> np.ndarray:
        """Return the cluster of each row."""
        if self.kmeans_estimator is not None and not isinstance(
            self.kmeans_estimator, numbers.Integral
        ):
            self.kmeans_estimator_ = clone(self.kmeans_estimator)
            return self.kmeans_estimator_.fit_predict(X)
        seed = int(generator.integers(1 << 31))
        self.kmeans_estimator_ = KMeans(
            self.kmeans_estimator or 8, n_init=1, max_iter=50, random_state=seed
        )
        sample = generator.permutation(X.shape[0])[:SAMPLE]
        return self.kmeans_estimator_.fit(X[sample]).predict(X)

    def _make(
        self, X: Any, y: np.ndarray, code: int, count: int, generator: np.random.Generator
    ) -> Origins:
        chosen = self._chosen(y, code, count)
        sparsities = np.array([self._log_sparsity(X[rows]) for rows in chosen])
        if np.isneginf(sparsities).all():
            sparsities[:] = 0  # one point in each cluster: none is sparser than another
        shares = np.exp(sparsities - sparsities.max())
        made = [
            self._within(X, rows, some, code, generator)
            for rows, some in zip(chosen, largest_remainder(shares, count), strict=True)
            if some
        ]
        return Origins(*(np.concatenate(some) for some in zip(*made, strict=True)))

    def _within(
        self, X: Any, rows: np.ndarray, count: int, code: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        neighbors = self._neighbors(X, rows, self.k_neighbors, code)
        return *pick(rows, neighbors, count, generator), generator.random(count, np.float32)

    def _chosen(self, y: np.ndarray, code: int, count: int) -> list[np.ndarray]:
        """Return the rows of the class in each cluster that holds enough of them."""
        least = as_neighbors(self.k_neighbors)[1] + 1
        clusters = np.unique(self._clusters)
        sizes = np.bincount(self._clusters)[clusters]
        within = [np.flatnonzero((self._clusters == c) & (y == code)) for c in clusters]
        shares = np.array([len(rows) for rows in within]) / sizes
        threshold = self._threshold(count, len(clusters))
        chosen = [
            rows
            for rows, share in zip(within, shares, strict=True)
            if share >= threshold and len(rows) >= least
        ]
        if not chosen:
            raise ArgumentError(
                f"`cluster_balance_threshold` must leave a cluster with at least {least} rows of "
                f"class {self._label(code)!r}; at {threshold:.3g} none is left, and the largest "
                f"share of the class is {shares.max():.3g}. Lower it, or take more clusters."
            )
        return chosen

    def _threshold(self, count: int, clusters: int) -> float:
        if clusters == 1:
            return 0
        if self.cluster_balance_threshold == "auto":
            return count / sum(self.sampling_strategy_.values()) / 2
        return self.cluster_balance_threshold

    def _log_sparsity(self, x: Any) -> float:
        rows = x.shape[0]
        exponent = self.density_exponent
        if exponent == "auto":
            exponent = 0.16 * math.log(rows, 1.6) ** 1.8
        distance = mean_distance(x)
        return exponent * math.log(distance) - math.log(rows) if distance else -math.inf


def mean_distance(x: Any) -> float:
    """Return the mean distance between two different rows, of shape (rows, width).

    Examples
    --------
    >>> import numpy as np
    >>> mean_distance(np.array([[0.0], [1.0], [3.0]]))
    2.0
    """
    x = x.toarray() if sparse.issparse(x) else x
    cells = scatter(x.astype(np.float64))  # whose differences stay within their type
    products, total, rows = cells.products, 0.0, len(x)
    for mine in parts(rows, BLOCK):
        for theirs in parts(mine.stop, BLOCK):
            block = products[mine] @ facing(products[theirs]).T
            if mine == theirs:
                np.fill_diagonal(block, 0)  # where float32 has next to nothing
            np.sqrt(np.maximum(block, 0, out=block), out=block)
            both = 1 if mine == theirs else 2
            total += both * block.sum(axis=1).sum(dtype=np.float64)
    return float(total * cells.scale / (rows * (rows - 1)))


def class_clusters(
    x: np.ndarray, labels: np.ndarray, classes: Iterable[int], seed: int = 0
) -> np.ndarray:
    """Part the rows of classes into clusters by k-means.

    Use it before `class_neighbors`, for mixtures that do not lie between two groups of a class.

    Parameters
    ----------
    x : float array of shape (rows, width)
        Training rows, encoded.
    labels : int array of shape (rows,)
        A row's class.
    classes : iterable of int
        Classes to part, into eight clusters each; fewer where one would have less than six
        rows on average, or rows repeat.
    seed : int
        Of k-means.

    Returns
    -------
    int array of shape (rows,)
        Each row's cluster, numbered over all classes; -1 for rows of others.

    References
    ----------
    Cieslak, Chawla, Striegel: Combating imbalance in network intrusion datasets, GrC 2006.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.repeat([[0.0], [9.0], [5.0]], 6, axis=0)
    >>> class_clusters(x, np.repeat([1, 1, 0], 6), [1]).tolist()[5:13]
    [1, 0, 0, 0, 0, 0, 0, -1]
    """
    found, known = np.full(len(x), -1), 0
    for label in classes:
        rows = np.flatnonzero(labels == label)
        different = len(np.unique(x[rows], axis=0))
        clusters = max(1, min(CLUSTERS, len(rows) // CLUSTER_ROWS, different))
        found[rows] = known + KMeans(clusters, n_init=1, random_state=seed).fit_predict(x[rows])
        known += clusters
    return found
