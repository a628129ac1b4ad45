"""Reservoirs: recurrent networks and delay lines whose states are features for readouts that learn online."""

from .ei_reservoir import Adaptation, Design, Diagnostics, EIReservoir
from .reservoir import Reservoir

__all__ = ["Adaptation", "Design", "Diagnostics", "EIReservoir", "Reservoir"]
