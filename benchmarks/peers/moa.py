"""MOA: the evaluation loop that CapyMOA runs inside Java, over rows in Java's memory or from an ARFF file.

`capymoa.evaluation.prequential_evaluation(optimise=True)` calls ``EfficientEvaluationLoops.PrequentialEvaluation`` with
a cumulative and a windowed evaluator; so do we, since its wrapper does not accept MOA's fastest stream, the one over
rows in memory. CapyMOA also has both evaluators compute the area under the ROC curve, which on streams with two classes
takes far more time than learning. No other contestant computes it, so MOA runs without it; ``CAPYMOA`` keeps it.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call"

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import formats
from streams import Stream

from .contract import Peer, Ready, Round
from .ensembles import ENSEMBLES, make_moa

TREES = ("hoeffding_tree", "extremely_fast_decision_tree", "hoeffding_adaptive_tree")
LEARNERS = (*TREES, "naive_bayes", "no_change", "prior", "knn_classifier", *ENSEMBLES)
WINDOW = 1000
WARM_UP_SECONDS = 5.0  # Java compiles what runs often, in the background: one pass over a short stream is not enough


def _from_memory(folder: Path, rows: int, learner: str, auc: bool = False) -> Ready:
    schema, instances = _in_java(Stream.load(folder).head(rows))
    import jpype
    from moa.streams import CachedInstancesStream

    jpype.java.lang.System.gc()  # what remains of the conversion should not count as MOA's memory
    return _evaluating(CachedInstancesStream(instances), schema, learner, rows, auc)


def _from_arff(folder: Path, rows: int, learner: str) -> Ready:
    from capymoa.stream import ARFFStream

    stream = ARFFStream(path=str(folder / formats.ARFF))
    return _evaluating(stream.moa_stream, stream.get_schema(), learner, rows)


def _in_java(stream: Stream) -> tuple[Any, Any]:
    """CapyMOA's schema, and the rows as MOA instances."""
    import jpype
    import numpy as np
    from capymoa.stream import Schema  # starts Java; only then can Java's packages be imported
    from com.yahoo.labs.samoa.instances import DenseInstance, Instances

    nominal = {n: list(known) for n, known in zip(stream.fields, stream.categories, strict=True) if known is not None}
    schema = Schema.from_custom(
        features=[*stream.fields, formats.TARGET],
        target=formats.TARGET,
        categories={**nominal, formats.TARGET: list(stream.classes)},
        name=stream.name,
    )
    instances = Instances(schema.get_moa_header(), len(stream))
    instances.setClassIndex(len(stream.fields))
    for row in jpype.JArray.of(np.column_stack([stream.X, stream.y])):
        instance = DenseInstance(1.0, row)
        instance.setDataset(instances)
        instances.add(instance)
    return schema, instances


def _evaluating(rows_in_java: Any, schema: Any, learner: str, rows: int, auc: bool = False) -> Ready:
    from moa.evaluation import EfficientEvaluationLoops

    def run() -> Round:
        rows_in_java.restart()
        model = _make(learner, schema)
        cumulative, windowed = _evaluators(auc)
        start = time.perf_counter()
        EfficientEvaluationLoops.PrequentialEvaluation(
            rows_in_java, model, cumulative, windowed, rows, WINDOW, False, False
        )
        return Round(time.perf_counter() - start, float(cumulative.getFractionCorrectlyClassified()))

    return Ready(run, warm_up=lambda: _repeated(run))


def _evaluators(auc: bool) -> tuple[Any, Any]:
    """A cumulative and a windowed evaluator, with the options that CapyMOA sets."""
    from moa.evaluation import BasicClassificationPerformanceEvaluator, WindowClassificationPerformanceEvaluator

    windowed = WindowClassificationPerformanceEvaluator()
    windowed.widthOption.setValue(WINDOW)
    cumulative = BasicClassificationPerformanceEvaluator()
    for evaluator in (cumulative, windowed):
        evaluator.recallPerClassOption.set()
        evaluator.precisionPerClassOption.set()
        evaluator.precisionRecallOutputOption.set()
        evaluator.f1PerClassOption.set()
        if auc:
            evaluator.rocAucOption.set()
        evaluator.prepareForUse()
    return cumulative, windowed


def _repeated(run: Callable[[], Round]) -> None:
    """Whole passes until Java's compiler has had its time."""
    start = time.perf_counter()
    while True:
        run()
        if time.perf_counter() - start >= WARM_UP_SECONDS:
            return


def _make(learner: str, schema: Any) -> Any:
    """A fresh MOA learner at MOA's own defaults (CapyMOA's wrappers set others)."""
    from moa.classifiers.bayes import NaiveBayes
    from moa.classifiers.functions import MajorityClass, NoChange
    from moa.classifiers.lazy import kNN
    from moa.classifiers.trees import EFDT, HoeffdingAdaptiveTree, HoeffdingTree

    makers: dict[str, Any] = {
        "hoeffding_tree": HoeffdingTree,
        "extremely_fast_decision_tree": EFDT,
        "hoeffding_adaptive_tree": HoeffdingAdaptiveTree,
        "naive_bayes": NaiveBayes,
        "no_change": NoChange,
        "prior": MajorityClass,
        "knn_classifier": kNN,
    }
    model = make_moa(learner) if learner in ENSEMBLES else makers[learner]()
    model.setModelContext(schema.get_moa_header())
    model.prepareForUse()
    return model


MEMORY = Peer("MOA", LEARNERS, _from_memory, packages=("capymoa",))
CAPYMOA = Peer("MOA with ROC AUC (CapyMOA)", LEARNERS, partial(_from_memory, auc=True), packages=("capymoa",))
ARFF = Peer("MOA, ARFF file", LEARNERS, _from_arff, write=formats.write_arff, packages=("capymoa",))
