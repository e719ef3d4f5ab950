"""Over-sampling, then cleaning."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.base import clone

from kilter._containers import restore
from kilter._errors import ArgumentError
from kilter.sampling.base import Origins, Sampler, Trace
from kilter.sampling.cleaning import Cleaner, EditedNearestNeighbours, TomekLinks
from kilter.sampling.mixed import SMOTENC
from kilter.sampling.smote import SMOTE
from kilter.sampling.synthetic import Synthesizer, mix, read_numbers


class Combined(Sampler):
    """Base of the samplers that make rows with SMOTE and then clean all classes."""

    _sampling_type = "over-sampling"
    _parameter_constraints: ClassVar[dict] = {
        **BaseOverSampler._parameter_constraints,
        "smote": [Synthesizer, None],
    }

    def __init__(self, *, sampling_strategy: Any, random_state: Any, smote: Any) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.smote = smote

    def _read(self, X: Any) -> Any:
        return read_numbers(self, X)

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        over, under = self._smote(), self._cleaner()
        for sampler in (over, under):
            sampler._validate_params()
        labels = self.classes_[y]
        made = over._trace(X, labels, generator).origins
        kept = under._trace(mix(X, made), labels[made.rows], generator).origins
        return made.select(kept.rows)

    def _smote(self) -> Any:
        if self.smote is None:
            return SMOTE(sampling_strategy=self.sampling_strategy)
        if isinstance(self.smote, SMOTENC):
            raise ArgumentError(
                "`smote` must make rows of numbers, whose neighbours are looked for again; got "
                "SMOTENC. Clean a table with categories before it is over-sampled."
            )
        return clone(self.smote)

    @abstractmethod
    def _cleaner(self) -> Any:
        """Return what cleans."""

    def _build(self, X: Any, trace: Trace) -> Any:
        return restore(mix(trace.matrix, trace.origins), like=X)


class SMOTEENN(Combined):
    """SMOTE, then drop the rows, of any class, whose neighbours are not of their class.

    Use it where SMOTE fills an overlap with rows of both classes: editing clears it again, and
    more thoroughly than `SMOTETomek`.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in `SMOTE`, whose numbers hold before rows are dropped.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    smote : sampler, optional
        A sampler of kilter that makes rows between rows, whose ``random_state`` is not used;
        ``SMOTE()`` with this strategy if not given.
    enn : sampler, optional
        An `EditedNearestNeighbours`; one for all classes if not given.

    References
    ----------
    Batista, Prati, Monard: A study of the behavior of several methods for balancing machine
    learning training data, SIGKDD Explorations 2004.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> x, y = make_blobs([60, 12], centers=[[0, 0], [2, 2]], random_state=0)
    >>> x2, y2 = SMOTEENN(random_state=0).fit_resample(x, y)
    >>> 72 < len(y2) < 120
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **Combined._parameter_constraints,
        "enn": [Cleaner, None],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        smote: Any = None,
        enn: Any = None,
    ) -> None:
        super().__init__(
            sampling_strategy=sampling_strategy, random_state=random_state, smote=smote
        )
        self.enn = enn

    def _cleaner(self) -> Any:
        return (
            EditedNearestNeighbours(sampling_strategy="all")
            if self.enn is None
            else clone(self.enn)
        )


class SMOTETomek(Combined):
    """SMOTE, then drop both rows of every Tomek link.

    Use it where SMOTE is to leave a small gap between the classes.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable
        As in `SMOTE`, whose numbers hold before rows are dropped.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    smote : sampler, optional
        A sampler of kilter that makes rows between rows, whose ``random_state`` is not used;
        ``SMOTE()`` with this strategy if not given.
    tomek : sampler, optional
        A `TomekLinks`; one for all classes if not given.

    References
    ----------
    Batista, Bazzan, Monard: Balancing training data for automated annotation of keywords: a
    case study, WOB 2003.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> x, y = make_blobs([60, 12], centers=[[0, 0], [2, 2]], random_state=0)
    >>> x2, y2 = SMOTETomek(random_state=0).fit_resample(x, y)
    >>> 110 < len(y2) <= 120
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **Combined._parameter_constraints,
        "tomek": [Cleaner, None],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        smote: Any = None,
        tomek: Any = None,
    ) -> None:
        super().__init__(
            sampling_strategy=sampling_strategy, random_state=random_state, smote=smote
        )
        self.tomek = tomek

    def _cleaner(self) -> Any:
        if self.tomek is not None:
            return clone(self.tomek)
        return TomekLinks(sampling_strategy="all")
