"""Detectors of drift."""
