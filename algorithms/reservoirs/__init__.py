"""Reservoirs: networks and delay lines whose states are features, and readouts that learn from them online."""

from .batched import BatchedReservoir
from .echo_state import EchoStateReservoir
from .ei_reservoir import Adaptation, Design, Diagnostics, EIReservoir
from .ei_reservoir_classifier import EIReservoirClassifier
from .ei_reservoir_forecaster import EIReservoirForecaster
from .ei_reservoir_regressor import EIReservoirRegressor
from .nlms_regressor import NLMSRegressor
from .nvar import NVAR
from .readouts import NLMS, RLS, IncrementalRidge, Readout
from .reservoir import Reservoir
from .ridge_regressor import RidgeRegressor
from .rls_regressor import RLSRegressor

__all__ = [
    "NLMS",
    "NVAR",
    "RLS",
    "Adaptation",
    "BatchedReservoir",
    "Design",
    "Diagnostics",
    "EIReservoir",
    "EIReservoirClassifier",
    "EIReservoirForecaster",
    "EIReservoirRegressor",
    "EchoStateReservoir",
    "IncrementalRidge",
    "NLMSRegressor",
    "RLSRegressor",
    "Readout",
    "Reservoir",
    "RidgeRegressor",
]
