"""Ensembles of obvious Hoeffding trees: bagging, boosting, forests and patches, member after member, row after row.

Written from the description of MOA's ``OzaBag``, ``OzaBoost``, ``OnlineSmoothBoost``, ``LeveragingBag``,
``AdaptiveRandomForest`` and ``StreamingRandomPatches``. Where random numbers come from is a parameter: with one
generator for each member they are what the kernels draw, with one ``java.util.Random`` for all they are what MOA draws.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Protocol

from naive.adwin import NaiveADWIN
from naive.hoeffding_tree import NaiveHoeffdingTree, add, first_largest, total

from streamlearn.random import below, generator, normal, poisson, uniform

# -- random numbers ----------------------------------------------------------------------------------------------------


class Draws(Protocol):
    """What an ensemble asks of a random generator."""

    def poisson(self, mean: float) -> int: ...
    def below(self, n: int) -> int: ...
    def uniform(self) -> float: ...
    def subset(self, n: int, k: int) -> list[int]: ...


class OwnDraws:
    """A generator of `streamlearn.random`."""

    def __init__(self, seed: int, stream: int) -> None:
        self.state = generator(seed, stream)

    def poisson(self, mean: float) -> int:
        if mean < 100.0:
            return int(poisson(self.state, mean))
        return math.floor(max(0.0, mean + math.sqrt(mean) * normal(self.state)))

    def below(self, n: int) -> int:
        return int(below(self.state, n))

    def uniform(self) -> float:
        return float(uniform(self.state))

    def subset(self, n: int, k: int) -> list[int]:
        """The first ``k`` places of a shuffle (Fisher and Yates), in order."""
        places = list(range(n))
        for i in range(k):
            j = i + self.below(n - i)
            places[i], places[j] = places[j], places[i]
        return sorted(places[:k])


class JavaDraws:
    """A ``java.util.Random``, and what MOA makes of it."""

    def __init__(self, seed: int) -> None:
        self.state = (seed ^ 0x5DEECE66D) % 2**48
        self.spare: float | None = None

    def bits(self, n: int) -> int:
        self.state = (self.state * 0x5DEECE66D + 0xB) % 2**48
        return self.state >> (48 - n)

    def uniform(self) -> float:
        high = self.bits(26) << 27
        return (high + self.bits(27)) / 2.0**53

    def below(self, n: int) -> int:
        if n & (n - 1) == 0:
            return (n * self.bits(31)) >> 31
        while True:
            bits = self.bits(31)
            if bits - bits % n + (n - 1) < 2**31:
                return bits % n

    def normal(self) -> float:
        if self.spare is not None:
            spare, self.spare = self.spare, None
            return spare
        while True:
            u, v = 2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0
            s = u * u + v * v
            if 0.0 < s < 1.0:
                scale = math.sqrt(-2.0 * math.log(s) / s)
                self.spare = v * scale
                return u * scale

    def poisson(self, mean: float) -> int:
        if mean >= 100.0:
            return math.floor(max(0.0, mean + math.sqrt(mean) * self.normal()))
        threshold = self.uniform() * math.exp(mean)
        product, reached, i = 1.0, 1.0, 1
        while i < max(100, 10 * math.ceil(mean)) and reached <= threshold:
            product *= mean / i
            reached += product
            i += 1
        return i - 1

    def subset(self, n: int, k: int) -> list[int]:
        """All places, of which one after the other is taken out."""
        left = list(range(n))
        while len(left) > k:
            del left[self.below(len(left))]
        return left


class JavaPicks(JavaDraws):
    """The same where MOA takes out what it wants, not what it doesn't."""

    def subset(self, n: int, k: int) -> list[int]:
        return sorted(set(range(n)).difference(super().subset(n, n - k)))


# -- what all have in common -------------------------------------------------------------------------------------------


@dataclass
class NaiveEnsemble:
    """Members vote with their probabilities.

    ``nominal`` says it of each attribute; ``tree`` holds the options of the members; ``java`` lets all members draw
    from one ``java.util.Random(seed)``.
    """

    nominal: list[bool]
    n_models: int = 10
    seed: int = 0
    tree: dict[str, Any] = field(default_factory=dict)
    java: bool = False

    defaults: ClassVar[dict[str, Any]] = {}

    def __post_init__(self) -> None:
        if self.java:
            self.draws: list[Draws] = [JavaDraws(self.seed)] * self.n_models
        else:
            self.draws = [OwnDraws(self.seed, i) for i in range(self.n_models)]
        self.known: list[int] = list(range(len(self.nominal))) if self.java else []
        self.members = [self.new_tree(i) for i in range(self.n_models)]
        self.learned = False

    def new_tree(self, i: int) -> NaiveHoeffdingTree:
        """An empty tree for member ``i``."""
        return NaiveHoeffdingTree(list(self.nominal), **{**self.defaults, **self.tree})

    def winner(self, i: int, x: Sequence[float]) -> int:
        """What member ``i`` takes a row for; the first class if it knows nothing."""
        return max(0, self.members[i].predict(x))

    def vote_weights(self) -> list[float]:
        """How much each member's vote counts."""
        return [1.0] * self.n_models

    def votes(self, x: Sequence[float]) -> list[float]:
        result: list[float] = []
        for i, weight in enumerate(self.vote_weights()):
            for c, p in enumerate(self.members[i].proba(x)):
                add(result, c, weight * p)
        return result

    def predict(self, x: Sequence[float]) -> int:
        return first_largest(self.votes(x), 0) if self.learned else -1

    def proba(self, x: Sequence[float]) -> list[float]:
        votes = self.votes(x)
        weight = total(votes)
        return [v / weight for v in votes] if 0.0 < weight < math.inf else [0.0 for _ in votes]

    def learn(self, x: Sequence[float], y: int, w: float = 1.0) -> None:
        new = [i for i, value in enumerate(x) if not math.isnan(value) and i not in self.known]
        if new:
            self.meet(new)
        if y < 0 or not 0.0 < w < math.inf:
            return
        self.learned = True
        self.learn_row(x, y, w)

    def meet(self, new: list[int]) -> None:
        """Some attributes have their first value, in a row that is to be learned."""
        self.known += new

    def learn_row(self, x: Sequence[float], y: int, w: float) -> None:
        raise NotImplementedError


# -- bagging -----------------------------------------------------------------------------------------------------------


@dataclass
class NaiveOzaBag(NaiveEnsemble):
    """Each member learns a row as often as a Poisson(1) number says."""

    def learn_row(self, x: Sequence[float], y: int, w: float) -> None:
        for member, draws in zip(self.members, self.draws, strict=True):
            k = draws.poisson(1.0)
            if k > 0:
                member.learn(x, y, k * w)


@dataclass
class NaiveLeveragingBagging(NaiveEnsemble):
    """Each member learns a row about ``w`` times; when errors rise anywhere, the worst member starts anew."""

    w: float = 6.0
    adwin_delta: float = 0.002
    bagging_method: str = "bag"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.errors = [NaiveADWIN(self.adwin_delta) for _ in range(self.n_models)]
        self.n_detected_changes = 0

    def times(self, i: int, x: Sequence[float], y: int) -> int:
        """How often member ``i`` is to learn a row."""
        draws = self.draws[i]
        if self.bagging_method == "bag":
            return draws.poisson(self.w)
        if self.bagging_method == "me":
            error = self.errors[i].estimation
            rate = error / (1.0 - error) if error < 1.0 else math.inf
            return 1 if self.winner(i, x) != y or draws.uniform() < rate else 0
        if self.bagging_method == "half":
            return draws.below(2)
        if self.bagging_method == "wt":
            return 1 + draws.poisson(1.0)
        assert self.bagging_method == "subag"
        return 1 if draws.poisson(1.0) > 0 else 0

    def learn_row(self, x: Sequence[float], y: int, w: float) -> None:
        changed = False
        for i, member in enumerate(self.members):
            k = self.times(i, x, y)
            if k > 0:
                member.learn(x, y, k * w)
            before = self.errors[i].estimation
            cut = self.errors[i].update(float(self.winner(i, x) != y))
            changed |= cut and self.errors[i].estimation > before
        if not changed:
            return
        self.n_detected_changes += 1
        worst = first_largest([0.0, *(window.estimation for window in self.errors)], 0) - 1
        if worst >= 0:
            self.members[worst] = self.new_tree(worst)
            self.errors[worst] = NaiveADWIN(self.adwin_delta)


# -- boosting ----------------------------------------------------------------------------------------------------------


@dataclass
class NaiveOzaBoost(NaiveEnsemble):
    """What one member gets wrong, the next ones learn more often."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.right, self.wrong = [0.0] * self.n_models, [0.0] * self.n_models
        self.seen = 0.0

    def learn_row(self, x: Sequence[float], y: int, w: float) -> None:
        self.seen += w
        mean = 1.0
        for i, member in enumerate(self.members):
            k = self.draws[i].poisson(mean)
            if k > 0:
                member.learn(x, y, k * w)
            tally = self.right if self.winner(i, x) == y else self.wrong
            tally[i] += mean * w
            mean *= self.seen / (2.0 * tally[i])
            mean = min(mean, 1e9)

    def vote_weights(self) -> list[float]:
        """The logarithms of the odds to be right, up to the first member that is never wrong, or mostly."""
        weights = [0.0] * self.n_models
        for i, (right, wrong) in enumerate(zip(self.right, self.wrong, strict=True)):
            error = wrong / (right + wrong) if right + wrong > 0.0 else 0.0
            if not 0.0 < error <= 0.5:
                break
            weights[i] = math.log(1.0 / (error / (1.0 - error)))
            if not weights[i] > 0.0:
                break
        if not self.java and total(weights) == 0.0:
            return [1.0] * self.n_models  # in MOA nobody votes then, which makes it the first class
        return weights


@dataclass
class NaiveOnlineSmoothBoost(NaiveEnsemble):
    """What many members before got right, a member learns with a small weight, but no weight ever exceeds 1."""

    gamma: float = 0.1

    def learn_row(self, x: Sequence[float], y: int, w: float) -> None:
        theta = self.gamma / (2.0 + self.gamma)
        margin, weight = 0.0, 1.0
        for i, member in enumerate(self.members):
            margin += (1.0 if self.winner(i, x) == y else -1.0) - theta
            member.learn(x, y, weight * w)
            weight = 1.0 if margin <= 0.0 else math.pow(1.0 - self.gamma, margin / 2.0)


# -- members that are replaced one by one ------------------------------------------------------------------------------


class Unobserved:
    """Stands for the observer of an attribute that a leaf does not look at."""

    def __init__(self) -> None:
        self.of_class: dict[int, Any] = {}

    def says_nothing_about(self, x: float) -> bool:
        return True

    def observe(self, x: float, y: int, w: float) -> None:
        pass

    def candidates(self, attribute: int, binary_only: bool) -> list[Any]:
        return []


@dataclass
class NaiveForestTree(NaiveHoeffdingTree):
    """Each leaf looks at some attributes only, drawn by ``draw`` when it learns its first row."""

    draw: Any = None

    def learn_at_leaf(self, node: Any, x: Sequence[float], y: int, w: float) -> float:
        fresh = node.active and node.observers is None
        if fresh:  # votes before the first row need no observers, so these may be there already
            drawn = self.draw()
            node.observers = [o if i in drawn else Unobserved() for i, o in enumerate(self.new_observers())]
        return super().learn_at_leaf(node, x, y, w)


@dataclass
class Background:
    """What grows beside a member after a warning: a tree with detectors of its own and, of patches, its attributes."""

    tree: Any
    fields: list[int]
    drift: NaiveADWIN
    warning: NaiveADWIN


@dataclass
class NaiveRenewing(NaiveEnsemble):
    """Members with two detectors each: one starts a tree in the background, the other lets it take over."""

    lambda_value: float = 6.0
    drift_delta: float = 1e-3
    warning_delta: float = 1e-2
    disable_weighted_vote: bool = False
    defaults: ClassVar[dict[str, Any]] = {"grace": 50.0, "delta": 0.01}
    keeps_background = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.background: list[Background | None] = [None] * self.n_models
        self.drift = [NaiveADWIN(self.drift_delta) for _ in range(self.n_models)]
        self.warning = [NaiveADWIN(self.warning_delta) for _ in range(self.n_models)]
        self.right, self.seen = [0.0] * self.n_models, [0.0] * self.n_models
        self.n_drifts, self.n_warnings = [0] * self.n_models, [0] * self.n_models

    def vote_weights(self) -> list[float]:
        """Percent of rows that each member got right since it began; 1 while there are none."""
        if self.disable_weighted_vote:
            return [1.0] * self.n_models
        shares = [100.0 * (r / n) if n > 0.0 else 0.0 for r, n in zip(self.right, self.seen, strict=True)]
        return [share if share > 0.0 else 1.0 for share in shares]

    def learn_row(self, x: Sequence[float], y: int, w: float) -> None:
        for i in range(self.n_models):
            self.right[i] += w * (self.winner(i, x) == y)
            self.seen[i] += w
            k = self.times(i)
            if k > 0:
                self.teach(i, x, y, w, k)

    def times(self, i: int) -> int:
        return self.draws[i].poisson(self.lambda_value)

    def teach(self, i: int, x: Sequence[float], y: int, w: float, k: int) -> None:
        self.learn_member(i, x, y, k * w)
        self.learn_background(i, x, y, w, k)
        error = float(self.winner(i, x) != y)
        if rises(self.warning[i], error):
            self.n_warnings[i] += 1
            self.background[i] = self.new_background(i)
            self.warning[i] = NaiveADWIN(self.warning_delta)
        if rises(self.drift[i], error):
            self.n_drifts[i] += 1
            self.replace(i)

    def learn_member(self, i: int, x: Sequence[float], y: int, w: float) -> None:
        self.members[i].learn(x, y, w)

    def replace(self, i: int) -> None:
        """The tree in the background takes the member's place; if there is none, the member starts anew."""
        background = self.background[i]
        if background is None:
            background = self.new_background(i)
        else:
            self.warning[i] = background.warning
            self.background[i] = background if self.keeps_background else None
        self.drift[i] = background.drift
        self.promote(i, background)
        self.right[i], self.seen[i] = 0.0, 0.0

    def promote(self, i: int, background: Background) -> None:
        self.members[i] = background.tree

    def learn_background(self, i: int, x: Sequence[float], y: int, w: float, k: int) -> None:
        raise NotImplementedError

    def new_background(self, i: int) -> Background:
        raise NotImplementedError

    def beside(self, tree: Any, fields: list[int]) -> Background:
        return Background(tree, fields, NaiveADWIN(self.drift_delta), NaiveADWIN(self.warning_delta))


def rises(window: NaiveADWIN, error: float) -> bool:
    """Whether the window was cut because the errors rose."""
    before = window.estimation
    return window.update(error) and window.estimation > before


def draw_from(known: list[int], draws: Draws, m: int | Callable[[int], int]) -> list[int]:
    """Draw ``m`` of the known attributes, or as many as ``m`` says of their number."""
    n = len(known)
    return sorted(known[place] for place in draws.subset(n, min(n, m if isinstance(m, int) else m(n))))


@dataclass
class NaiveForest(NaiveRenewing):
    """The Adaptive Random Forest; a leaf looks at ``m`` of the attributes that had a value so far."""

    m: int | Callable[[int], int] = 1

    def new_tree(self, i: int) -> NaiveHoeffdingTree:
        draws = JavaPicks(1) if self.java else self.draws[i]
        draw = partial(draw_from, self.known, draws, self.m)
        return NaiveForestTree(list(self.nominal), **{**self.defaults, **self.tree}, draw=draw)

    def learn_background(self, i: int, x: Sequence[float], y: int, w: float, k: int) -> None:
        background = self.background[i]
        if background is not None:
            background.tree.learn(x, y, w)

    def new_background(self, i: int) -> Background:
        return self.beside(self.new_tree(i), [])


@dataclass
class NaivePatches(NaiveRenewing):
    """Streaming Random Patches; a member's leaves look at its ``m`` attributes, drawn when it first learns.

    ``training_method`` is "patches", "subspaces" (every row once) or "resampling" (all attributes).
    """

    m: int | Callable[[int], int] = 1
    training_method: str = "patches"
    drift_delta: float = 1e-5
    warning_delta: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.keeps_background = self.java  # a slip of MOA: what was promoted goes on learning in the background as well
        self.fields: list[list[int]] = [[] for _ in range(self.n_models)]
        if self.training_method == "resampling":
            self.fields = [list(range(len(self.nominal)))] * self.n_models
        elif self.java:
            self.fields = self.first_fields()
        self.members = [self.tree_over(i, self.fields[i]) for i in range(self.n_models)]

    def first_fields(self) -> list[list[int]]:
        """The members' first attributes: all different if there are few enough to list, and enough."""
        n, ensemble = len(self.known), self.draws[0] if self.java else OwnDraws(self.seed, self.n_models)
        if n > 20:
            return [draw_from(self.known, ensemble, self.m) for _ in range(self.n_models)]
        m = min(n, self.m if isinstance(self.m, int) else self.m(n))
        combinations = [list(fields) for fields in itertools.combinations(self.known, m)]
        while len(combinations) < self.n_models:
            combinations += combinations[: self.n_models - len(combinations)]
        return [combinations.pop(ensemble.below(len(combinations))) for _ in range(self.n_models)]

    def tree_over(self, i: int, fields: list[int]) -> NaiveHoeffdingTree:
        """A tree whose leaves look at the attributes that ``fields`` holds when they begin."""

        def draw() -> list[int]:
            fields[:] = fields or draw_from(self.known, self.draws[i], self.m)
            return fields

        return NaiveForestTree(list(self.nominal), **{**self.defaults, **self.tree}, draw=draw)

    def meet(self, new: list[int]) -> None:
        if self.training_method == "resampling":
            return
        if not self.known:
            self.known += new
            for fields, drawn in zip(self.fields, self.first_fields(), strict=True):
                fields[:] = drawn
            return
        for attribute in new:
            self.known.append(attribute)
            for i in range(self.n_models):
                background = self.background[i]
                for fields in (self.fields[i], background.fields if background else []):
                    self.offer(self.draws[i], fields, attribute)

    def offer(self, draws: Draws, fields: list[int], attribute: int) -> None:
        """Attributes that were drawn take in a new one if there is room, or by chance for another."""
        n = len(self.known)
        m = min(n, self.m if isinstance(self.m, int) else self.m(n))
        if not fields:
            return
        if len(fields) < m:
            fields.append(attribute)
        elif draws.uniform() < m / n:
            fields[draws.below(len(fields))] = attribute
        fields.sort()

    def times(self, i: int) -> int:
        return 1 if self.training_method == "subspaces" else super().times(i)

    def learn_background(self, i: int, x: Sequence[float], y: int, w: float, k: int) -> None:
        background = self.background[i]
        if background is not None:
            background.tree.learn(x, y, k * w)

    def new_background(self, i: int) -> Background:
        fields: list[int] = []
        if self.training_method == "resampling":
            fields = list(range(len(self.nominal)))
        elif self.java:  # MOA draws at once
            fields = draw_from(self.known, self.draws[i], self.m)
        return self.beside(self.tree_over(i, fields), fields)

    def promote(self, i: int, background: Background) -> None:
        super().promote(i, background)
        self.fields[i] = background.fields
