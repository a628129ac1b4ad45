"""Random tests explore anew on every run of a developer, and repeat themselves in CI, so that CI judges the change."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
