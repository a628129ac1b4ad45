"""Synthetic streams: generators with MOA's formulas, compositions with drifts, and the streams that papers name."""

from .agrawal import Agrawal
from .concept_drift import ConceptDrift, concepts
from .friedman import Friedman, FriedmanDrift
from .generator import Generator
from .hyperplane import Hyperplane
from .imbalance import ClassImbalance
from .input_drift import InputDrift
from .label_delay import LabelDelay
from .led import LED, LEDDrift
from .lorenz import Lorenz
from .mackey_glass import MackeyGlass
from .memory import Memory
from .narma import NARMA
from .noise import AttributeNoise, LabelNoise, MissingValues
from .random_rbf import RandomRBF, RandomRBFDrift
from .random_tree import RandomTree
from .santa_fe import santa_fe
from .sea import SEA
from .sine import Mixed, Sine
from .stagger import STAGGER
from .waveform import Waveform

__all__ = [
    "LED",
    "NARMA",
    "SEA",
    "STAGGER",
    "Agrawal",
    "AttributeNoise",
    "ClassImbalance",
    "ConceptDrift",
    "Friedman",
    "FriedmanDrift",
    "Generator",
    "Hyperplane",
    "InputDrift",
    "LEDDrift",
    "LabelDelay",
    "LabelNoise",
    "Lorenz",
    "MackeyGlass",
    "Memory",
    "MissingValues",
    "Mixed",
    "RandomRBF",
    "RandomRBFDrift",
    "RandomTree",
    "Sine",
    "Waveform",
    "concepts",
    "santa_fe",
]
