"""Encode features as one float32 matrix, fitted on the training part alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, RobustScaler

from kilter._errors import ArtifactError, SchemaError
from kilter._types import Features, Schema, Train, require_part
from kilter.data.base import Encoder
from kilter.data.bins import count_bins, fit_edges, in_bins
from kilter.data.columns import NUMERIC
from kilter.data.schema import number_names

SCALES = 2  # on which each number is given

_MOST_CATEGORIES = 50
_ROWS_A_CHUNK = 65_536
_SMALLEST = 1e-200  # range: the largest number in it is finite
_LARGEST = 1e30  # beyond it numbers are equal: their differences would overflow
# the state of an imputer holds dtypes, which skops writes as empty arrays without pickle
_TRUSTED = ["numpy.dtype"]


def _scaler(rows: int) -> TransformerMixin:
    """Return what brings filled-in numbers of training rows to a scale that networks like."""
    return QuantileTransformer(
        output_distribution="normal", n_quantiles=min(1000, rows), subsample=None, random_state=0
    )


@dataclass(frozen=True)
class TableEncoder(Encoder):
    """Numbers on two scales and in bins, categories as one-hot columns.

    Use `TableEncoder.fit` on the training part of a split, then `transform` on any part and on
    rows to predict. Columns of the result are, in order: the numbers (as `number_names` has
    them; missing ones filled with the median) by their rank, in a normal shape; the numbers
    by their distance to the median in interquartile ranges, bent so that none is beyond 3 and
    small ones hardly change; one 0/1 column for each
    number that was ever missing in training; one column for each bin of a number whose classes
    change in steps; and the one-hot columns. A missing value is a category of its own where
    training had it. Categories beyond the 50 most frequent share a column, which unseen ones
    are put in too; without such a column they are all zeros.

    Attributes
    ----------
    numbers, codes
        How many columns ``Features.numbers`` and ``Features.codes`` have.
    edges
        Where the bins of each number end; an empty array for a number without.
    blendable
        bool of shape (width,): True where a mean of two rows is a plausible row.

    Examples
    --------
    >>> import pyarrow
    >>> from kilter.data import load, split
    >>> rows = {"age": list(range(60)), "city": ["Oslo", "Rome"] * 30, "y": [0, 0, 1] * 20}
    >>> data = load(pyarrow.table(rows), "y")
    >>> train = split(data)[0].train
    >>> encoder = TableEncoder.fit(train, data.schema)
    >>> encoder.transform(train.features).shape == (len(train), 4)
    True
    >>> encoder.blendable.tolist()
    [True, True, False, False]

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart (2024), Better by default: the second scale.
    """

    FILE: ClassVar = "encoder.skops"

    numbers: int
    codes: int
    imputer: SimpleImputer | None
    scaler: TransformerMixin | None
    robust: RobustScaler | None
    onehot: OneHotEncoder | None
    edges: tuple[np.ndarray, ...] = ()

    @classmethod
    def fit(cls, train: Train, schema: Schema, *, bins: bool = True) -> Self:
        """Learn medians, scales, bins and categories from the training part, and nothing else.

        Without ``bins`` the width hangs on the features alone, which a network of one's own
        can be made for.

        Raises
        ------
        ArgumentTypeError
            ``train`` is not the training part of a split.
        """
        require_part(train, Train, "Encoder.fit")
        numbers, codes = train.features.numbers, train.features.codes
        _check_columns(train.features, *_expected(schema))
        imputer = scaler = robust = onehot = None
        edges: tuple[np.ndarray, ...] = ()
        if numbers.shape[1]:
            imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
            filled = imputer.fit_transform(_bounded(numbers))[:, : numbers.shape[1]]
            scaler, robust = _fit_scaler(filled), _fit_robust(filled)
            if bins:  # by rank: as float32, which a tree sees, far numbers close by may be equal
                edges = fit_edges(scaler.transform(filled), train.labels)
        if codes.shape[1]:
            onehot = _onehot().fit(codes)
        return cls(numbers.shape[1], codes.shape[1], imputer, scaler, robust, onehot, edges)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an encoded row."""
        return (self.width,)

    @property
    def width(self) -> int:
        """How many columns `transform` gives."""
        return len(self.blendable)

    @property
    def blendable(self) -> np.ndarray:
        """Which columns are scaled numbers, for which a value in between makes sense."""
        scaled = SCALES * self.numbers
        flags = _width(self.imputer) - self.numbers + count_bins(self.edges) + _width(self.onehot)
        return np.arange(scaled + flags) < scaled

    def transform(self, features: Features) -> np.ndarray:
        """Return the rows as float32 of shape (rows, width), all finite."""
        _check_columns(features, self.numbers, self.codes)
        encoded = np.empty((len(features), self.width), np.float32)
        for start in range(0, len(features), _ROWS_A_CHUNK):
            rows = slice(start, start + _ROWS_A_CHUNK)
            encoded[rows] = self._encode(features.numbers[rows], features.codes[rows])
        return encoded

    def _encode(self, numbers: np.ndarray, codes: np.ndarray) -> np.ndarray:
        blocks = []
        if self.imputer is not None and self.scaler is not None and self.robust is not None:
            filled, missing = np.split(self.imputer.transform(_bounded(numbers)), [self.numbers], 1)
            scaled = self.scaler.transform(filled)
            blocks += [scaled, _bent(self.robust.transform(filled)), missing]
            blocks.append(in_bins(scaled, self.edges))
        if self.onehot is not None:
            blocks.append(self.onehot.transform(codes))
        return np.hstack(blocks)

    def require_fit(self, schema: Schema) -> None:
        """Raise a `ValueError` unless it takes the columns of this schema."""
        if (self.numbers, self.codes) != _expected(schema):
            raise ValueError("the encoder takes other columns than the schema has")

    def dumps(self) -> bytes:
        """Return the encoder as bytes, written without pickle."""
        import skops.io  # here, as it imports all of scikit-learn, which takes seconds

        return skops.io.dumps(vars(self))

    @classmethod
    def loads(cls, content: bytes) -> Self:
        """Return the encoder that `dumps` wrote; it encodes every bit the same.

        Raises
        ------
        ArtifactError
            The bytes are damaged, or hold anything but the parts of an encoder.
        """
        import skops.io

        try:
            encoder = cls(**skops.io.loads(content, trusted=_TRUSTED))
        except Exception as error:  # damaged bytes fail in too many ways to list
            raise ArtifactError(
                "the encoder cannot be read: its bytes are damaged, or not kilter's "
                f"({type(error).__name__}). Save the model again."
            ) from error
        _check_parts(encoder)
        return encoder


def _fit_scaler(numbers: np.ndarray) -> TransformerMixin:
    """Fit the scaler on the rows and on two made-up ones, just below and just above them.

    The quantile transformer sends its lowest and its highest value to -5.2 and 5.2, and all
    their ties with them: the zeros of a 0/1 column would be as far out as an outlier. Inside
    the range ties get their middle rank instead.
    """
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    margin = 1e-6 + 1e-3 * (high - low) + 1e-12 * np.maximum(np.abs(low), np.abs(high))
    rows = np.vstack([numbers, low - margin, high + margin])
    return _scaler(len(rows)).fit(rows)


def _fit_robust(numbers: np.ndarray) -> RobustScaler:
    """Fit medians and interquartile ranges; half the range where the latter are 0."""
    robust = RobustScaler().fit(numbers)
    low, quarter, three, high = np.quantile(numbers, (0, 0.25, 0.75, 1), axis=0)
    half = np.maximum((high - low) / 2, _SMALLEST)
    robust.scale_ = np.where((three == quarter) & (high > low), half, robust.scale_)
    return robust


def _bent(numbers: np.ndarray) -> np.ndarray:
    """Bend numbers smoothly, so that they stay below 3."""
    bent: np.ndarray = numbers / np.hypot(1, numbers / 3)
    return bent


def _onehot() -> OneHotEncoder:
    return OneHotEncoder(
        max_categories=_MOST_CATEGORIES,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
        dtype=np.float32,
    )


def _bounded(numbers: np.ndarray) -> np.ndarray:
    return np.clip(numbers, -_LARGEST, _LARGEST)


def _width(part: SimpleImputer | OneHotEncoder | None) -> int:
    return 0 if part is None else len(part.get_feature_names_out())


def _expected(schema: Schema) -> tuple[int, int]:
    categories = [column for column in schema.columns if column.kind not in NUMERIC]
    return len(number_names(schema)), len(categories)


def _check_columns(features: Features, numbers: int, codes: int) -> None:
    got = features.numbers.shape[1], features.codes.shape[1]
    if got != (numbers, codes):
        raise SchemaError(
            f"`features` must have {numbers} number and {codes} category columns, as the schema "
            f"has; got {got[0]} and {got[1]}. Make them with `kilter.data.conform`."
        )


def _check_parts(encoder: Encoder) -> None:
    expected: dict[str, Any] = {
        "numbers": int,
        "codes": int,
        "imputer": SimpleImputer | None,
        "scaler": type(_scaler(1)) | None,
        "robust": RobustScaler | None,
        "onehot": OneHotEncoder | None,
        "edges": tuple,
    }
    for name, kind in expected.items():
        if not isinstance(getattr(encoder, name), kind):
            raise ArtifactError(
                f"the encoder's `{name}` must be `{kind}`; got "
                f"`{type(getattr(encoder, name)).__name__}`. Save the model again."
            )
