"""A job keeps to the processors it was given."""

import subprocess
import sys

import pytest

# The pool of XLA, by the name of its threads; limits must be set before it starts, hence a process of its own.
COUNT = """
import pathlib, sys
from emergent.cli._run import prepare_xla
prepare_xla(int(sys.argv[1]))
import jax, jax.numpy as jnp
jax.block_until_ready(jax.jit(lambda a: jnp.tanh(a @ a).sum())(jnp.ones((300, 300))))
names = [path.read_text().strip() for path in pathlib.Path("/proc/self/task").glob("*/comm")]
print(names.count("tf_XLAEigen"))
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_xla_starts_as_many_threads_as_the_job_has(threads: int) -> None:
    """Three also where the machine has two, which it would take by itself."""
    done = subprocess.run([sys.executable, "-c", COUNT, str(threads)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == threads
