"""What the boosters share: their arrays, and how a chunk of rows passes from member to member."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.schema import Shape

from .boosting_kernels import GAMMA, N_OPTIONS, RULE, BoosterArrays, learn_chunk, make_booster
from .chain import Chain


class Booster(Chain):
    """Base of the boosters: members come to a row one after the other."""

    _own_type = BoosterArrays
    _pack = staticmethod(make_booster)
    _advance = staticmethod(learn_chunk)
    _rule: ClassVar[int]

    gamma: float = 0.0

    def _chain_options(self) -> np.ndarray:
        options = np.zeros(N_OPTIONS)
        options[RULE], options[GAMMA] = self._rule, self.gamma
        return options

    def _own_layout(self, shape: Shape) -> Layout:
        return {
            **super()._own_layout(shape),
            "tallies": (np.float64, (self.n_models, 2)),
            "seen": (np.float64, (1,)),
        }

    def _room_layout(self, shape: Shape) -> Layout:
        layout = super()._room_layout(shape)
        return {**layout, "carried": (np.float64, (layout["votes"][1][1], 2))}
