"""The test with a real container engine takes packages that only `make test-full PART=engine` installs."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("ART32_ENGINE") else ["test_engine.py"]
