"""Symmetry that emerges in deep ensembles: kernels, ensembles, metrics and figures.

Importing the package changes no global state; command-line entry points choose precision and devices.
"""
