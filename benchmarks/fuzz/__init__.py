"""Parts of `fuzz_models.py`: what damages a model file, and the process that has to survive it."""
