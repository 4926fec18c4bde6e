"""Command-line verbs, each a process of its own."""

import gc
import sys

from emergent.cli._environment import pin

# Runs before the module of a verb, and so before JAX and Matplotlib read these variables.
pin()
# ``python -m`` says so while it looks for the module. What is imported stays: to search it for garbage, again and again
# as it grows, takes a tenth of the time of a short job. ``main_guard`` turns the search on again.
if sys.argv[:1] == ["-m"]:
    gc.disable()
