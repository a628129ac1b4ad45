"""What the contest's ensembles are called in each project; members are Hoeffding trees, at each project's defaults.

Where a project's default is another number of members, the number in the name counts.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from streams import Stream


def _river_tree(stream: Stream, **options: Any) -> Any:
    from river import tree

    return tree.HoeffdingTreeClassifier(nominal_attributes=stream.nominal, **options)


def _river_forest(stream: Stream, n: int) -> Any:
    from river import forest

    return forest.ARFClassifier(n, nominal_attributes=stream.nominal, seed=1)


def _river_patches(stream: Stream, n: int) -> Any:
    from river import ensemble

    return ensemble.SRPClassifier(_river_tree(stream, grace_period=50, delta=0.01), n, seed=1)


def _river_leveraging(stream: Stream, n: int) -> Any:
    from river import ensemble

    return ensemble.LeveragingBaggingClassifier(_river_tree(stream), n, seed=1)


def _river_bag(stream: Stream, n: int) -> Any:
    from river import ensemble

    return ensemble.BaggingClassifier(_river_tree(stream), n, seed=1)


def _river_boost(stream: Stream, n: int) -> Any:
    from river import ensemble

    return ensemble.AdaBoostClassifier(_river_tree(stream), n, seed=1)


@dataclass(frozen=True)
class Ensemble:
    """An ensemble of ``n`` members.

    Parameters
    ----------
    n
    registered
        Our registered name.
    moa
        MOA's class in ``moa.classifiers.meta``.
    river
        Makes River's for a stream and a number of members; None where River has none.
    """

    n: int
    registered: str
    moa: str
    river: Callable[[Stream, int], Any] | None

    @property
    def call(self) -> str:
        """How `streamlearn.evaluate` is asked for it."""
        return f"{self.registered}:n_models={self.n}"


ENSEMBLES: Mapping[str, Ensemble] = MappingProxyType(
    {
        "arf_10": Ensemble(10, "adaptive_random_forest_classifier", "AdaptiveRandomForest", _river_forest),
        "arf_100": Ensemble(100, "adaptive_random_forest_classifier", "AdaptiveRandomForest", _river_forest),
        "srp_10": Ensemble(10, "streaming_random_patches_classifier", "StreamingRandomPatches", _river_patches),
        "leveraging_bagging_10": Ensemble(10, "leveraging_bagging_classifier", "LeveragingBag", _river_leveraging),
        "oza_bag_10": Ensemble(10, "oza_bag_classifier", "OzaBag", _river_bag),
        "oza_boost_10": Ensemble(10, "oza_boost_classifier", "OzaBoost", _river_boost),
        "smooth_boost_10": Ensemble(10, "online_smooth_boost_classifier", "OnlineSmoothBoost", None),
    }
)


def make_moa(learner: str) -> Any:
    """MOA's ensemble of that name, without its schema."""
    from moa.classifiers import meta

    model = getattr(meta, ENSEMBLES[learner].moa)()
    model.getOptions().setViaCLIString(f"-s {ENSEMBLES[learner].n}")
    return model
