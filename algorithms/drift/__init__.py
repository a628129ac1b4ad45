"""Detectors of drift: has the stream of values, errors or rows changed?"""

from .abcd import ABCD
from .adwin import ADWIN
from .charts import CUSUM, EWMAChart, GeometricMovingAverage, PageHinkley
from .ddm import DDM, EDDM, RDDM
from .hddm import HDDM_A, HDDM_W
from .windows import KSWIN, SEED, STEPD

__all__ = [
    "ABCD",
    "ADWIN",
    "CUSUM",
    "DDM",
    "EDDM",
    "HDDM_A",
    "HDDM_W",
    "KSWIN",
    "RDDM",
    "SEED",
    "STEPD",
    "EWMAChart",
    "GeometricMovingAverage",
    "PageHinkley",
]
