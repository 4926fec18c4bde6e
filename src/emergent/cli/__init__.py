"""Command-line verbs, each a process of its own."""

from emergent.cli._environment import pin

# Runs before the module of a verb, and so before JAX and Matplotlib read these variables.
pin()
