"""The parts of ``live.py``: events, a cluster, the programs that are measured, and a module for each figure."""
