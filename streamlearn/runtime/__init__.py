"""The event loop over live streams: labels, checkpoints, guarantees, telemetry."""
