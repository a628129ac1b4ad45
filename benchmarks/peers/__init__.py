"""The contestants, one module a project; adding one means adding it to this table."""

from collections.abc import Mapping
from types import MappingProxyType

from . import moa, ours, river, vw
from .contract import Peer, Ready, Round

PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "streamlearn": ours.MEMORY,
        "streamlearn-parquet": ours.PARQUET,
        "moa": moa.MEMORY,
        "moa-arff": moa.ARFF,
        "capymoa": moa.CAPYMOA,
        "river": river.PEER,
        "vw": vw.PEER,
    }
)

__all__ = ["PEERS", "Peer", "Ready", "Round"]
