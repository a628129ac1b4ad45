"""Synthetic streams: generators with MOA's formulas, compositions with drifts, and the streams that papers name."""

from .agrawal import Agrawal
from .concept_drift import ConceptDrift, concepts
from .friedman import Friedman, FriedmanDrift
from .generator import Generator
from .hyperplane import Hyperplane
from .led import LED, LEDDrift
from .random_rbf import RandomRBF, RandomRBFDrift
from .random_tree import RandomTree
from .sea import SEA
from .sine import Mixed, Sine
from .stagger import STAGGER
from .waveform import Waveform

__all__ = [
    "LED",
    "SEA",
    "STAGGER",
    "Agrawal",
    "ConceptDrift",
    "Friedman",
    "FriedmanDrift",
    "Generator",
    "Hyperplane",
    "LEDDrift",
    "Mixed",
    "RandomRBF",
    "RandomRBFDrift",
    "RandomTree",
    "Sine",
    "Waveform",
    "concepts",
]
