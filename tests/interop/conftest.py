"""What the tests of several peers share is beside this file: pytest finds it because this is here."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lab"))

import private_machine  # noqa: E402

if "PYTEST_XDIST_WORKER" in os.environ:
    private_machine.enter()
