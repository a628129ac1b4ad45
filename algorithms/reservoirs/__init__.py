"""Reservoirs: recurrent networks and delay lines whose states are features for readouts that learn online."""

from .batched import BatchedReservoir
from .echo_state import EchoStateReservoir
from .ei_reservoir import Adaptation, Design, Diagnostics, EIReservoir
from .nvar import NVAR
from .reservoir import Reservoir

__all__ = [
    "NVAR",
    "Adaptation",
    "BatchedReservoir",
    "Design",
    "Diagnostics",
    "EIReservoir",
    "EchoStateReservoir",
    "Reservoir",
]
