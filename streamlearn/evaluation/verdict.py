"""What a result or a comparison means, in sentences: who is best, by how much, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .metrics import METRICS
from .pairs import stream_pairs

if TYPE_CHECKING:
    from .comparison import Comparison
    from .result import Result

FEW_STREAMS = 5


def over_streams(comparison: Comparison, metric: str, alpha: float = 0.05) -> list[str]:
    """Sentences on learners over several streams; none for a single stream or learner.

    Friedman's test asks whether any differ, Nemenyi's which (for two learners, Wilcoxon's alone), and the Bayesian
    signed-rank test how sure it is that the first is better than the second.
    """
    test = comparison.friedman(metric)
    if test is None:
        return []
    best, second = list(comparison.mean_ranks(metric))[:2]
    pair = comparison.pair(best, second, metric)
    if pair is None:
        return []
    if len(comparison.labels) == 2:
        sentences = [_of_two(pair, alpha)]
    elif test.p_value >= alpha:
        sentences = [f"No significant difference between the learners (Friedman {say_p(test.p_value)})."]
    else:
        sentences = _of_several(comparison, metric, test.p_value, alpha)
    sentences.append(_bayesian(pair, METRICS[metric].percent))
    if len(comparison.streams) < FEW_STREAMS:
        sentences.append(f"{len(comparison.streams)} streams are few: take these as hints.")
    return sentences


def _of_two(pair: Mapping[str, Any], alpha: float) -> str:
    streams = pair["wins"] + pair["ties"] + pair["losses"]
    verdict = "significant" if pair["wilcoxon"] < alpha else "not significant"
    return (
        f"{pair['a']} is better than {pair['b']} on {pair['wins']} of {streams} streams; the difference is {verdict} "
        f"(Wilcoxon {say_p(pair['wilcoxon'])})."
    )


def _of_several(comparison: Comparison, metric: str, p_value: float, alpha: float) -> list[str]:
    ranks, difference = comparison.mean_ranks(metric), comparison.critical_difference(alpha)
    best, *others = ranks
    near = [label for label in others if ranks[label] - ranks[best] < difference]
    beaten = [label for label in others if label not in near]
    sentences = [
        f"The learners differ (Friedman {say_p(p_value)}); mean ranks that differ by less than {difference:.2f} "
        f"are not told apart (Nemenyi, α = {alpha:g})."
    ]
    if beaten:
        sentences.append(f"{best} is significantly better than {listed(beaten)}.")
    if near:
        sentences.append(f"{best} is not significantly better than {listed(near)}.")
    return sentences


def _bayesian(pair: Mapping[str, Any], percent: bool) -> str:
    a, b = pair["a"], pair["b"]
    outcomes = {f"{a} is better than {b}": pair["p_a"], f"{b} is better than {a}": pair["p_b"]}
    if percent:
        outcomes[f"{a} and {b} are within one percent point"] = pair["p_equivalent"]
    likely = sorted((what for what in outcomes if outcomes[what] >= 0.01), key=lambda what: -outcomes[what])
    chances = [f"{what} with probability {say_chance(outcomes[what])}" for what in likely]
    return f"Bayesian signed-rank test: {', '.join(chances)}."


def say_chance(p: float) -> str:
    """A probability, never said to be certain, since it is of a sample."""
    return "> 0.99" if p > 0.99 else "< 0.01" if p < 0.01 else f"{p:.2f}"


def on_one_stream(result: Result, metric: str) -> list[str]:
    """Sentences on learners over one stream: the best one, how far it is ahead, and McNemar's test of that."""
    measured = METRICS[metric]
    sign = 1.0 if measured.higher_is_better else -1.0
    entries = [entry for entry in result.summary if math.isfinite(entry[metric])]
    if not entries:
        return []
    best, *others = sorted(entries, key=lambda entry: -sign * entry[metric])
    name = in_sentence(measured.title)
    sentences = [f"{best['learner']} has the best {name}: {say_value(metric, best[metric])}."]
    if not others:
        return sentences if len(result.labels) > 1 else [sentences[0].replace("has the best", "has the")]
    second = others[0]
    gap = abs(best[metric] - second[metric])
    lead = f"{100.0 * gap:.2f} percent points" if measured.percent else f"{gap:,.4g}"
    sentences.append(f"The next is {second['learner']}, {lead} behind.")
    test = next((pair for pair in stream_pairs(result) if {pair["a"], pair["b"]} == _names(best, second)), None)
    if test is not None:
        ahead = test["a"] if test["sign"] > 0 else test["b"]
        sentences.append(
            f"McNemar's test: {ahead} is right on more rows, {say_p(test['p_holm'])}."
            if test["p_holm"] < 0.05
            else f"McNemar's test does not tell the two apart, {say_p(test['p_holm'])}."
        )
    return sentences


def _names(*entries: Mapping[str, Any]) -> set[str]:
    return {entry["learner"] for entry in entries}


def in_sentence(title: str) -> str:
    """A metric's title within a sentence: "accuracy", but "MAE" and "F1"."""
    return title[0].lower() + title[1:] if title[1:2].islower() else title


def say_value(metric: str, value: float) -> str:
    """A metric's value with its unit, short."""
    return f"{100.0 * value:.2f} %" if METRICS[metric].percent else f"{value:,.4g}"


def say_p(p: float) -> str:
    """A p-value with as many digits as mean something.

    Examples
    --------
    >>> say_p(0.04321), say_p(0.0042), say_p(1e-30)
    ('p = 0.043', 'p = 0.004', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
