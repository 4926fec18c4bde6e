"""Command-line verbs, each a process of its own."""

import gc
import os
import sys

from emergent.cli._environment import pin

ENOUGH_FOR_BYTECODE = 2**26
"""Bytes."""

# Runs before the module of a verb, and so before JAX and Matplotlib read these variables.
pin()
# ``python -m`` says so while it looks for the module. What is imported stays: to search it for garbage, again and again
# as it grows, takes a tenth of the time of a short job. ``main_guard`` turns the search on again.
if sys.argv[:1] == ["-m"]:
    gc.disable()
# On a full disk Python 3.11 keeps half of a module's bytecode, and then cannot import it (python/cpython issue 126606).
for _place in (__file__, sys.prefix):
    _disk = os.statvfs(_place)
    if _disk.f_bavail * _disk.f_frsize < ENOUGH_FOR_BYTECODE:
        sys.dont_write_bytecode = True
