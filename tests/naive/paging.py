"""Paging policies as their papers tell them, with dictionaries and lists: slow, and made to be read.

Each is a class with ``request(page, bit, predicted) -> (hit, evicted)``, where ``evicted`` is a page or None. Random
numbers are drawn from the same generators, at the same moments, as in the compiled policies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from streamlearn.random import below, generator, next_bits, uniform

Answer = tuple[bool, int | None]


class Bag(list[int]):
    """Pages out of which one is drawn at random; the last one takes the place of one that leaves."""

    def take(self, page: int) -> None:
        self[self.index(page)] = self[-1]
        self.pop()


def draw(random: np.ndarray, *bags: Bag) -> int:
    every = [page for bag in bags for page in bag]
    return every[below(random, len(every))]


class LRU:
    def __init__(self, k: int) -> None:
        self.k, self.order = k, []  # type: ignore[var-annotated]

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        hit, evicted = page in self.order, None
        if hit:
            self.order.remove(page)
        elif len(self.order) == self.k:
            evicted = self.order.pop(0)
        self.order.append(page)
        return hit, evicted


class FIFO(LRU):
    def request(self, page: int, bit: int, predicted: float) -> Answer:
        return (True, None) if page in self.order else super().request(page, bit, predicted)


class Clock:
    def __init__(self, k: int) -> None:
        self.k = k
        self.queue: list[int] = []
        self.used: set[int] = set()

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        if page in self.queue:
            self.used.add(page)
            return True, None
        evicted = None
        if len(self.queue) == self.k:
            while self.queue[0] in self.used:
                self.used.remove(self.queue[0])
                self.queue.append(self.queue.pop(0))
            evicted = self.queue.pop(0)
        self.queue.append(page)
        return False, evicted


class Sieve(Clock):
    """The hand is the page to be looked at next, or None for the oldest."""

    hand: int | None = None

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        if page in self.queue:
            self.used.add(page)
            return True, None
        evicted = None
        if len(self.queue) == self.k:
            at = self.queue.index(self.hand) if self.hand is not None else 0
            while self.queue[at] in self.used:
                self.used.remove(self.queue[at])
                at = (at + 1) % self.k
            evicted = self.queue.pop(at)
            self.hand = self.queue[at] if at < len(self.queue) else None
        self.queue.append(page)
        return False, evicted


class LFU:
    def __init__(self, k: int) -> None:
        self.k, self.now = k, 0
        self.counts: dict[int, tuple[int, int]] = {}  # requests, and when the last one was

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        self.now += 1
        hit, evicted = page in self.counts, None
        if not hit and len(self.counts) == self.k:
            evicted = min(self.counts, key=lambda other: self.counts[other])
            del self.counts[evicted]
        self.counts[page] = (self.counts.get(page, (0, 0))[0] + 1, self.now)
        return hit, evicted


class ARC:
    """The pseudo-code of the paper's Fig. 4; lists from the least to the most recently used."""

    def __init__(self, k: int) -> None:
        self.k, self.p = k, 0
        self.t1: list[int] = []
        self.t2: list[int] = []
        self.b1: list[int] = []
        self.b2: list[int] = []

    def replace(self, in_b2: bool) -> int:
        if self.t1 and (len(self.t1) > self.p or (in_b2 and len(self.t1) == self.p)):
            self.b1.append(self.t1.pop(0))
            return self.b1[-1]
        self.b2.append(self.t2.pop(0))
        return self.b2[-1]

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        for cached in (self.t1, self.t2):
            if page in cached:
                cached.remove(page)
                self.t2.append(page)
                return True, None
        evicted = None
        if page in self.b1:
            self.p = min(self.p + max(len(self.b2) // len(self.b1), 1), self.k)
            evicted = self.replace(False)
            self.b1.remove(page)
            self.t2.append(page)
        elif page in self.b2:
            self.p = max(self.p - max(len(self.b1) // len(self.b2), 1), 0)
            evicted = self.replace(True)
            self.b2.remove(page)
            self.t2.append(page)
        else:
            l1, l2 = len(self.t1) + len(self.b1), len(self.t2) + len(self.b2)
            if l1 == self.k:
                if len(self.t1) < self.k:
                    self.b1.pop(0)
                    evicted = self.replace(False)
                else:
                    evicted = self.t1.pop(0)
            elif l1 + l2 >= self.k:
                if l1 + l2 == 2 * self.k:
                    self.b2.pop(0)
                evicted = self.replace(False)
            self.t1.append(page)
        return False, evicted


class S3FIFO:
    """Queues from the oldest to the newest page, with the number of requests since it came."""

    def __init__(self, k: int, small: float = 0.1, ghost: float = 0.9) -> None:
        self.k, self.most_small, self.most_ghost = k, max(1, int(k * small)), int(k * ghost)
        self.small: dict[int, int] = {}
        self.main: dict[int, int] = {}
        self.ghost: list[int] = []
        self.has_evicted = False

    def evict(self) -> int:
        while True:
            if len(self.main) > self.k - self.most_small or not self.small:
                page = next(iter(self.main))
                count = self.main.pop(page)
                if count == 0:
                    return page
                self.main[page] = count - 1
                continue
            while self.small:
                page = next(iter(self.small))
                if self.small.pop(page) < 2:
                    self.ghost = [*self.ghost, page][-self.most_ghost :] if self.most_ghost else []
                    return page
                self.main[page] = 0

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        for queue in (self.small, self.main):
            if page in queue:
                queue[page] = min(queue[page] + 1, 3)
                return True, None
        queue, evicted = self.small, None
        if page in self.ghost:
            self.ghost.remove(page)
            queue = self.main
        if len(self.small) + len(self.main) == self.k:
            evicted = self.evict()
            self.has_evicted = True
        elif not self.has_evicted and len(self.small) >= self.most_small:
            queue = self.main
        queue[page] = 0
        return False, evicted


class BitSieve(Sieve):
    """Spares pages whose last bit was 0."""

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        answer = super().request(page, bit, predicted)
        (self.used.discard if bit else self.used.add)(page)
        return answer


class BitS3FIFO(S3FIFO):
    """0-pages are loaded to the main queue, and hits with bit 1 are not counted."""

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        if bit and (page in self.small or page in self.main):
            return True, None
        hit, evicted = super().request(page, bit, predicted)
        if not bit and not hit and page in self.small:
            del self.small[page]
            self.main[page] = 0
        return hit, evicted


class WTinyLFU:
    """With exact counts, which a large enough sketch has too."""

    def __init__(self, k: int, window: float = 0.01, protected: float = 0.8, sample: int = 10) -> None:
        self.k, self.most_window = k, max(1, int(window * k))
        self.most_protected = int(protected * (k - self.most_window))
        self.sample, self.counted = max(sample * k, 64), 0
        self.counts: dict[int, int] = {}
        self.window: list[int] = []
        self.probation: list[int] = []
        self.protected: list[int] = []

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        self.counts[page] = min(self.counts.get(page, 0) + 1, 15)
        self.counted += 1
        if self.counted >= self.sample:
            self.counted //= 2
            self.counts = {other: count // 2 for other, count in self.counts.items()}
        for cached in (self.window, self.protected):
            if page in cached:
                cached.remove(page)
                cached.append(page)
                return True, None
        if page in self.probation:
            self.probation.remove(page)
            self.protected.append(page)
            if len(self.protected) > self.most_protected:
                self.probation.append(self.protected.pop(0))
            return True, None
        full = len(self.window) + len(self.probation) + len(self.protected) == self.k
        evicted = None
        if len(self.window) == self.most_window:
            evicted = candidate = self.window.pop(0)
            if full:
                main = self.probation or self.protected
                if main and self.counts[candidate] > self.counts[main[0]]:
                    evicted = main.pop(0)
                    self.probation.append(candidate)
            else:
                evicted = None
                self.probation.append(candidate)
        self.window.append(page)
        return False, evicted


class TwoLists:
    """BITLRU, and FLUSH if ``flush``: pages by their last bit, from the least to the most recently requested."""

    def __init__(self, k: int, flush: bool) -> None:
        self.k, self.flush = k, flush
        self.by_bit: list[list[int]] = [[], []]

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        zeros, ones = self.by_bit
        evicted = None
        hit = page in zeros or page in ones
        if hit:
            (ones if page in ones else zeros).remove(page)
        elif len(zeros) + len(ones) == self.k:
            if not ones and self.flush:
                ones[:], zeros[:] = zeros[:], []
            evicted = (ones or zeros).pop(0)
        self.by_bit[bit].append(page)
        return hit, evicted


class RandomPolicy:
    """Pages in bags by mark and bit; a subclass says how a victim is found."""

    def __init__(self, k: int, seed: int = 0) -> None:
        self.k, self.random = k, generator(seed)
        self.bags = {(marked, bit): Bag() for marked in (False, True) for bit in (0, 1)}

    def place(self, bit: int) -> tuple[bool, int]:
        """The bag of a page that is requested."""
        return True, bit

    def victim(self) -> int:
        raise NotImplementedError

    def unmark_all(self) -> None:
        self.bags = {(not marked, bit): bag for (marked, bit), bag in self.bags.items()}

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        holding = next((bag for bag in self.bags.values() if page in bag), None)
        hit, evicted = holding is not None, None
        if holding is not None:
            holding.take(page)
        elif sum(map(len, self.bags.values())) == self.k:
            evicted = self.victim()
            next(bag for bag in self.bags.values() if evicted in bag).take(evicted)
        self.bags[self.place(bit)].append(page)
        return hit, evicted


class Mark0(RandomPolicy):
    """1-pages are all in one bag, marked or not."""

    def place(self, bit: int) -> tuple[bool, int]:
        return (False, 1) if bit else (True, 0)

    def victim(self) -> int:
        ones = self.bags[False, 1] or self.bags[True, 1]
        if ones:
            return draw(self.random, ones)
        if not self.bags[False, 0]:
            self.unmark_all()
        return draw(self.random, self.bags[False, 0])

    def unmark_all(self) -> None:
        self.bags[False, 0], self.bags[True, 0] = self.bags[True, 0], self.bags[False, 0]


class Marker(Mark0):
    def request(self, page: int, bit: int, predicted: float) -> Answer:
        return super().request(page, 0, predicted)


class BitRand(RandomPolicy):
    def victim(self) -> int:
        return draw(self.random, self.bags[True, 1] or self.bags[True, 0])


class FlushRand(RandomPolicy):
    def victim(self) -> int:
        if not self.bags[True, 1]:
            self.bags[True, 0], self.bags[True, 1] = self.bags[True, 1], self.bags[True, 0]
        return draw(self.random, self.bags[True, 1])


class MarkAndPredict(RandomPolicy):
    def victim(self) -> int:
        if not self.bags[False, 0] and not self.bags[False, 1]:
            self.unmark_all()
        return draw(self.random, self.bags[False, 1] or self.bags[False, 0])


class Guard:
    """Old and new pages by their bits, and guarded ones; evicted pages with the phase in which they left."""

    def __init__(self, k: int, relax: int = 1, memory: int = 8, seed: int = 0) -> None:
        self.k, self.relax, self.random = k, relax, generator(seed)
        self.old, self.new, self.guarded = ((Bag(), Bag()) for _ in range(3))
        self.gone: list[tuple[int, int] | None] = [None] * (memory * k)
        self.hand = self.phase = self.errors = 0

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        for bags in (self.old, self.new, self.guarded):
            for bag in bags:
                if page in bag:
                    bag.take(page)
                    (self.guarded if bags is self.guarded else self.new)[bit].append(page)
                    return True, None
        left_in = None
        for place, entry in enumerate(self.gone):
            if entry is not None and entry[0] == page:
                left_in = entry[1]
                self.gone[place] = None
        if sum(len(bag) for bags in (self.old, self.new, self.guarded) for bag in bags) < self.k:
            self.new[bit].append(page)
            return False, None
        if not self.old[0] and not self.old[1]:
            self.old, self.new = self.new, self.old
            for b in (0, 1):
                while self.guarded[b]:
                    self.old[b].append(self.guarded[b].pop())
            self.phase += 1
            self.errors = 0
        guard = left_in == self.phase
        if guard:
            self.errors += 1
            guard = self.errors >= self.relax
        first, second = (self.old, self.new) if self.phase % 2 == 0 else (self.new, self.old)  # as the bags are stored
        if guard:
            evicted = draw(self.random, *self.old)
        elif self.old[1] or self.new[1]:
            evicted = draw(self.random, first[1], second[1])
        else:
            evicted = draw(self.random, first[0], second[0])
        next(bag for bags in (self.old, self.new) for bag in bags if evicted in bag).take(evicted)
        self.gone[self.hand] = (evicted, self.phase)
        self.hand = (self.hand + 1) % len(self.gone)
        (self.guarded if guard else self.new)[bit].append(page)
        return False, evicted


class BlindOracle:
    def __init__(self, k: int) -> None:
        self.k = k
        self.expected: dict[int, float] = {}

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        hit, evicted = page in self.expected, None
        if not hit and len(self.expected) == self.k:
            evicted = farthest(self.expected, self.expected)
            del self.expected[evicted]
        self.expected[page] = predicted
        return hit, evicted


def farthest(pages: Any, expected: dict[int, float]) -> int:
    """The page expected last; of several, the one with the smallest number."""
    return min(pages, key=lambda page: (-expected[page], page))


class PredictiveMarking:
    """Unmarked and marked pages; for pages evicted in the phase, what ``_victim`` wants to know of them."""

    def __init__(self, k: int, seed: int = 0) -> None:
        self.k, self.random = k, generator(seed)
        self.unmarked, self.marked = Bag(), Bag()
        self.expected: dict[int, float] = {}
        self.gone: dict[int, Any] = {}

    def start_phase(self) -> None:
        self.gone = {}
        while self.unmarked:
            self.marked.append(self.unmarked.pop())
        self.unmarked, self.marked = self.marked, self.unmarked

    def victim(self, page: int) -> tuple[int, Any]:
        raise NotImplementedError

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        hit, evicted = page in self.unmarked or page in self.marked, None
        if hit:
            (self.unmarked if page in self.unmarked else self.marked).take(page)
        elif len(self.unmarked) + len(self.marked) == self.k:
            if not self.unmarked:
                self.start_phase()
            evicted, note = self.victim(page)
            (self.unmarked if evicted in self.unmarked else self.marked).take(evicted)
            self.gone[evicted] = note
        self.gone.pop(page, None)
        self.marked.append(page)
        self.expected[page] = predicted
        return hit, evicted


class PredictiveMarker(PredictiveMarking):
    """An evicted page's note is the length of the chain that led to its eviction."""

    def victim(self, page: int) -> tuple[int, Any]:
        chain = self.gone.get(page, 0) + 1
        if chain <= sum(1 / i for i in range(1, self.k + 1)):
            return farthest(self.unmarked, self.expected), chain
        return draw(self.random, self.unmarked), chain


class LMarker(PredictiveMarking):
    def victim(self, page: int) -> tuple[int, Any]:
        if page in self.gone:
            return draw(self.random, self.unmarked), None
        return farthest(self.unmarked, self.expected), None


class LNonMarker(PredictiveMarking):
    """An evicted page's note is whether it left for a page that was not cached when the phase began."""

    def __init__(self, k: int, seed: int = 0) -> None:
        super().__init__(k, seed)
        self.stale: set[int] = set()
        self.requested: set[int] = set()

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        if page not in self.requested and len(self.requested) == self.k:
            self.start_phase()
            self.stale, self.requested = {*self.unmarked}, set()
        self.requested.add(page)
        return super().request(page, bit, predicted)

    def victim(self, page: int) -> tuple[int, Any]:
        if page not in self.stale:
            return farthest(self.unmarked, self.expected), True
        if self.gone[page]:
            return self.any_page(), False
        return draw(self.random, self.unmarked), False

    def any_page(self) -> int:
        return draw(self.random, self.unmarked, self.marked)


class OnlineMin:
    """Layers as sets, from the first to the last, and a priority for each page in them."""

    def __init__(self, k: int, seed: int = 0) -> None:
        self.k, self.random = k, generator(seed)
        self.layers: list[set[int]] = []
        self.priority: dict[int, float] = {}
        self.cached: set[int] = set()

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        hit, evicted = page in self.cached, None
        full = len(self.cached) == self.k
        layer = next((i for i, pages in enumerate(self.layers) if page in pages), None)
        crowded = layer is None and sum(map(len, self.layers)) == 3 * self.k
        if not hit and full:
            candidates = set(self.cached)
            first = 0 if crowded else layer
            if first is not None:
                for j in range(first, self.k):
                    candidates = self.cached & set().union(*self.layers[: j + 1])
                    if len(candidates) == j + 1:
                        break
            evicted = min(candidates, key=lambda other: self.priority[other])
            self.cached.remove(evicted)
        if layer is not None:
            rest = self.layers.pop(layer) - {page}
            if layer > 0:
                self.layers[layer - 1] |= rest
        elif crowded:
            self.layers.pop(0)
        elif full:
            last = self.layers.pop()
            if self.layers:
                self.layers[-1] |= last
        if layer is None:
            self.priority[page] = uniform(self.random)
        self.layers.append({page})
        self.cached.add(page)
        return hit, evicted


class Combiner:
    """A cache that follows one of several; for each, the pages that it lacks, in the order in which they left it."""

    def __init__(self, k: int, policies: Sequence[Any]) -> None:
        self.k, self.policies = k, policies
        self.cached: set[int] = set()
        self.lacks: list[list[int]] = [[] for _ in policies]
        self.followed = 0

    def choose(self, hits: list[bool]) -> None:
        raise NotImplementedError

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        answers = [policy.request(page, bit, predicted) for policy in self.policies]
        self.choose([hit for hit, _ in answers])
        for lacks, (_, left) in zip(self.lacks, answers, strict=True):
            if page in lacks:
                lacks.remove(page)
            if left in self.cached:
                lacks.append(left)
        if page in self.cached:
            return True, None
        evicted = None
        if len(self.cached) == self.k:
            evicted = self.lacks[self.followed][0]
            self.cached.remove(evicted)
            for lacks in self.lacks:
                if evicted in lacks:
                    lacks.remove(evicted)
        self.cached.add(page)
        return False, evicted


class DeterministicCombiner(Combiner):
    def __init__(self, k: int, policies: Sequence[Any], growth: float = 0.01) -> None:
        super().__init__(k, policies)
        self.growth, self.bound, self.costs = growth, 1.0, [0] * len(policies)

    def choose(self, hits: list[bool]) -> None:
        self.costs = [cost + (not hit) for cost, hit in zip(self.costs, hits, strict=True)]
        while self.costs[self.followed] > self.bound:
            self.followed = (self.followed + 1) % len(self.policies)
            self.bound *= 1 + self.growth / (len(self.policies) - 1)


class WeightedCombiner(Combiner):
    def __init__(self, k: int, policies: Sequence[Any], *, epsilon: float = 0.5, floor: float = 1e-4) -> None:
        super().__init__(k, policies)
        self.factor, self.floor, self.random = 1 - epsilon / 2, floor, generator(0)
        self.shares = [1 / len(policies)] * len(policies)
        self.followed = below(self.random, len(policies))

    def choose(self, hits: list[bool]) -> None:
        if all(hits) or not any(hits):
            return
        weights = [q * (1.0 if hit else self.factor) for q, hit in zip(self.shares, hits, strict=True)]
        least = max(weights) * self.floor
        weights = [max(weight, least) for weight in weights]
        total = 0.0
        for weight in weights:
            total += weight
        shares = [weight / total for weight in weights]
        gains = [after - before for after, before in zip(shares, self.shares, strict=True)]
        q, after = self.shares[self.followed], shares[self.followed]
        if after < q and uniform(self.random) * q < q - after:
            rise = 0.0
            for gain in gains:
                rise += max(gain, 0.0)
            rest = uniform(self.random) * rise
            for e, gain in enumerate(gains):
                if gain > 0.0:
                    self.followed = e
                    rest -= gain
                    if rest < 0.0:
                        break
        self.shares = shares


class TrustAndDoubt:
    """The paper's algorithm for a cache that may load any page at any time, followed lazily."""

    def __init__(self, k: int, seed: int = 0) -> None:
        self.k, self.random, self.now = k, generator(seed), 0
        self.predictor = BlindOracle(k)
        self.goal: set[int] = set()
        self.real: set[int] = set()
        self.seen: dict[int, int] = {}
        self.arrivals: list[int] = []
        self.ancient: set[int] = set()
        self.stale: set[int] = set()
        self.clean: list[int] = []
        self.out: dict[int, int | None] = {}  # p_q of each clean page q
        self.trusted: dict[int, bool] = {}
        self.since: dict[int, int] = {}
        self.length: dict[int, int] = {}
        self.first_phase = True
        self.word = 0

    def priority(self, page: int) -> float:
        mask = (1 << 64) - 1
        x = self.word ^ page
        x = ((x ^ (x >> 33)) * 0xFF51AFD7ED558CCD) & mask
        x = ((x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53) & mask
        return ((x ^ (x >> 33)) >> 11) * 2.0**-53

    def oldest(self, pages: set[int]) -> int:
        return min(pages, key=lambda page: self.seen[page])

    def left_out(self) -> int | None:
        pages = (self.stale | set(self.arrivals)) - set(self.predictor.expected)
        pages -= {page for page in self.out.values() if page is not None}
        return self.oldest(pages) if pages else None

    def serve(self, page: int) -> None:
        """Let the goal serve a request."""
        arrives = page not in self.arrivals
        if arrives and len(self.arrivals) == self.k:
            self.ancient = self.goal - {*self.arrivals, page}
            self.stale = self.goal - self.ancient
            self.arrivals, self.clean, self.out = [], [], {}
            self.first_phase = False
            self.word = int(next_bits(self.random))
        if arrives:
            self.arrivals.append(page)
        if self.first_phase:
            self.goal.add(page)
            return
        if self.ancient:
            self.ancient.discard(page)
            if page not in self.goal:
                victim = self.oldest((self.ancient - set(self.predictor.expected)) or self.ancient)
                self.ancient.remove(victim)
                self.goal.remove(victim)
                self.goal.add(page)
            return
        if page not in self.goal:
            unmarked = (self.stale - set(self.arrivals)) & self.goal
            self.goal.remove(min(unmarked, key=self.priority))
            self.goal.add(page)
        if arrives and page not in self.stale:
            self.clean.append(page)
            self.out[page] = self.left_out()
            self.trusted[page], self.length[page], self.since[page] = True, 1, len(self.arrivals) - 1
        for q in self.clean:
            if self.out[q] == page:
                self.out[q] = None
                self.out[q] = self.left_out()
                self.trusted[q], self.since[q] = False, len(self.arrivals)
                break
        if not arrives:
            return
        for q in self.clean:
            if len(self.arrivals) - self.since[q] != self.length[q]:
                continue
            self.since[q] = len(self.arrivals)
            if not self.trusted[q]:
                self.length[q] *= 2
                self.trusted[q] = True
            if self.out[q] in self.goal:
                trusted_out = {self.out[other] for other in self.clean if self.trusted[other]}
                back = self.stale - set(self.arrivals) - self.goal - trusted_out
                self.goal.remove(self.out[q])  # type: ignore[arg-type]
                self.goal.add(max(back, key=self.priority))

    def request(self, page: int, bit: int, predicted: float) -> Answer:
        self.predictor.request(page, bit, predicted)
        self.seen[page] = self.now
        self.now += 1
        self.serve(page)
        hit, evicted = page in self.real, None
        if not hit and len(self.real) == self.k:
            evicted = self.oldest(self.real - self.goal)
            self.real.remove(evicted)
        self.real.add(page)
        return hit, evicted


def optimum(pages: Sequence[int], k: int) -> tuple[list[bool], list[int]]:
    """Whether each request is a hit, and its discard bit, by looking ahead at every fault."""
    cached: dict[int, int] = {}  # page: its last request
    hits, bits = [], [0] * len(pages)
    for i, page in enumerate(pages):
        hits.append(page in cached)
        if page not in cached and len(cached) == k:

            def distance(other: int, i: int = i) -> tuple[float, int]:
                ahead = next((j for j in range(i, len(pages)) if pages[j] == other), math.inf)
                return ahead, -cached[other]

            victim = max(cached, key=distance)
            bits[cached.pop(victim)] = 1
        cached[page] = i
    return hits, bits


def true_phase_bits(pages: Sequence[int], k: int) -> list[int]:
    phases: list[list[int]] = [[]]
    for page in pages:
        if page not in phases[-1] and len(set(phases[-1])) == k:
            phases.append([])
        phases[-1].append(page)
    return [int(page not in after) for phase, after in zip(phases, [*phases[1:], []], strict=True) for page in phase]


POLICIES: dict[str, Callable[..., Any]] = {
    "arc": ARC,
    "bit_s3_fifo": BitS3FIFO,
    "bit_sieve": BitSieve,
    "bitlru": lambda k: TwoLists(k, flush=False),
    "bitrand": BitRand,
    "blind_oracle": BlindOracle,
    "clock": Clock,
    "fifo": FIFO,
    "flush": lambda k: TwoLists(k, flush=True),
    "flush_rand": FlushRand,
    "guard": Guard,
    "l_marker": LMarker,
    "l_non_marker": LNonMarker,
    "lfu": LFU,
    "lru": LRU,
    "mark0": Mark0,
    "mark_and_predict": MarkAndPredict,
    "marker": Marker,
    "online_min": OnlineMin,
    "predictive_marker": PredictiveMarker,
    "s3_fifo": S3FIFO,
    "sieve": Sieve,
    "trust_and_doubt": TrustAndDoubt,
    "w_tiny_lfu": WTinyLFU,
}
