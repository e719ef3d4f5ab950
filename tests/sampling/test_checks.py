"""The estimator checks of imbalanced-learn and scikit-learn, over every public sampler."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from imblearn.base import SamplerMixin
from imblearn.utils import estimator_checks as imblearn_checks
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.utils import estimator_checks as sklearn_checks

from kilter import sampling
from kilter.sampling import Neighbors

# What a sampler is checked with, beyond a seed; a new sampler is checked with its defaults.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "RandomOverSampler": [{}, {"shrinkage": 1}],
    "BorderlineSMOTE": [{"kind": "borderline-1"}, {"kind": "borderline-2"}],
    # Tables of 20 rows of noise have no clusters to speak of.
    "KMeansSMOTE": [{"kmeans_estimator": 2, "cluster_balance_threshold": 0.0}],
    "SMOTENC": [{"categorical_features": [0]}],
    "EditedNearestNeighbours": [{"kind_sel": "all"}, {"kind_sel": "mode"}],
    "NearMiss": [{"version": 1}, {"version": 2}, {"version": 3}],
    # "auto" keeps rows of sparse tables and centres of dense ones, which the checks compare.
    "ClusterCentroids": [
        {"voting": "soft", "estimator": KMeans(n_init=1, random_state=0)},
        {"voting": "hard", "estimator": KMeans(n_init=1, random_state=0)},
    ],
    # A forest, the default, takes half a minute for all checks.
    "InstanceHardnessThreshold": [{"estimator": LogisticRegression()}],
}
NC_SPARSE = "a sparse column has no category to repeat, and its type none in narwhals"
NC_MISSING = "categories may be missing: a missing one is a category"
HARD = "k-means on sparse rows rounds otherwise: another row may be the nearest to a centre"


def reasons(sampler: Any) -> dict[str, str]:
    """Return the checks that a sampler is expected to fail, and why."""
    name, chosen = type(sampler).__name__, sampler.get_params(deep=False)
    if name == "SMOTENC":
        return {
            "check_samplers_pandas_sparse": NC_SPARSE,
            "check_estimators_nan_inf": NC_MISSING,
        }
    if name == "NearMiss" and chosen["version"] == 3:
        return {"check_samplers_fit_resample": "keeps what it has, as in imbalanced-learn"}
    if name == "ClusterCentroids" and chosen["voting"] == "hard":
        return {"check_samplers_sparse": HARD, "check_samplers_pandas_sparse": HARD}
    return {}


def public() -> dict[str, type]:
    """Return every public class that resamples."""
    found = {name: getattr(sampling, name) for name in sampling.__all__}
    return {n: c for n, c in found.items() if inspect.isclass(c) and hasattr(c, "fit_resample")}


SEVERAL_LABELS = {"LabelPowerset", "MLSMOTE"}  # their `y` has columns: the checks do not
SAMPLERS = {name: kind for name, kind in public().items() if name not in SEVERAL_LABELS}


def instances() -> Iterator[BaseEstimator]:
    for name, kind in SAMPLERS.items():
        for settings in SETTINGS.get(name, [{}]):
            seeded = "random_state" in inspect.signature(kind).parameters
            yield kind(**settings, **({"random_state": 0} if seeded else {}))


EVERY = list(instances())


def test_every_sampler_is_checked() -> None:
    assert all(issubclass(kind, SamplerMixin) for kind in SAMPLERS.values())
    assert {type(sampler) for sampler in EVERY} == set(SAMPLERS.values())
    assert not set(SETTINGS) - set(SAMPLERS)
    assert len(SAMPLERS) >= 15


def parametrize(module: Any, estimators: list) -> Callable:
    """Return the decorator that runs a library's checks, a test each."""
    # The libraries' own decorators hand pytest an iterator, which it has deprecated.
    cases = [
        pytest.param(*getattr(case, "values", case), marks=getattr(case, "marks", ()), id=label)
        for estimator in estimators
        for case, label in labelled(module, estimator)
    ]
    return pytest.mark.parametrize(("estimator", "check"), cases)


def labelled(module: Any, estimator: Any) -> Iterator[tuple[Any, str]]:
    generate, expected = module.estimator_checks_generator, reasons(estimator)
    for case in generate(estimator, expected_failed_checks=expected, mark="xfail"):
        check = getattr(case, "values", case)[1]
        options = "-".join(f"{key}={value}" for key, value in check.keywords.items())
        yield case, "-".join(filter(None, [short(estimator), check.func.__name__, options]))


def short(estimator: Any) -> str:
    return re.sub(r"\s|,?random_state=0", "", str(estimator))


# Version 3 of NearMiss has fewer rows to choose from than the checks ask for, and says so.
@pytest.mark.filterwarnings("ignore:The number of the samples to be selected:UserWarning")
@parametrize(imblearn_checks, EVERY)
def test_imbalanced_learn(estimator: BaseEstimator, check: Callable) -> None:
    check(estimator)


@parametrize(sklearn_checks, [*EVERY, Neighbors(verbose=False)])
def test_scikit_learn(estimator: BaseEstimator, check: Callable) -> None:
    check(estimator)


@pytest.mark.parametrize("sampler", EVERY, ids=short)
def test_parameters_are_checked_and_names_of_columns_kept(sampler: BaseEstimator) -> None:
    name = type(sampler).__name__
    imblearn_checks.check_param_validation(name, sampler)
    imblearn_checks.check_dataframe_column_names_consistency(name, sampler)


@pytest.mark.parametrize("sampler", EVERY, ids=short)
def test_a_sampler_can_be_copied_and_printed(sampler: BaseEstimator) -> None:
    copy = clone(sampler)
    assert copy is not sampler
    assert str(copy) == str(sampler)
    assert list(copy.get_params()) == list(sampler.get_params())


@pytest.mark.slow
def test_the_default_forest_of_instance_hardness_passes_too() -> None:
    sampler = sampling.InstanceHardnessThreshold(random_state=0)
    chosen = ("check_samplers_fit_resample", "check_samplers_preserve_dtype")
    checks = [
        (estimator, check)
        for estimator, check in imblearn_checks.estimator_checks_generator(sampler)
        if check.func.__name__ in chosen
    ]
    assert len(checks) == 2
    for estimator, check in checks:
        check(estimator)
