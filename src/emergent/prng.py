"""Random keys by meaning: the same member is the same network whatever the block size, the order or the machine.

A key is ``fold_in`` of a root with fixed numbers for experiment, arm, member and purpose; keys are never split by the
size of an ensemble, so growing it leaves all earlier members untouched.
"""

import zlib
from typing import Literal

import jax
import jax.numpy as jnp

Purpose = Literal["initialise", "order", "augment"]
# Never renumbered: with other numbers the same seed makes other networks.
PURPOSES: dict[Purpose, int] = {"initialise": 0, "order": 1, "augment": 2}


def name_id(name: str) -> int:
    """Returns a fixed 32-bit number for a name."""
    # No hash(), which Python salts anew in every process.
    return zlib.crc32(name.encode())


def member_key(seed: int, experiment: str, arm: str, member: int | jax.Array, purpose: Purpose) -> jax.Array:
    """Returns the key of one member for one purpose.

    Args:
        seed: root seed of the experiment; 0 is a seed like any other.
        experiment: name of the experiment.
        arm: name of the arm, or of the shared initialisation.
        member: index of the member, counted over the whole ensemble.
        purpose: what the key is for.
    """
    # By name, because the default generator is a setting of JAX.
    key = jax.random.key(seed, impl="threefry2x32")
    key = jax.random.fold_in(key, name_id(experiment))
    key = jax.random.fold_in(key, name_id(arm))
    key = jax.random.fold_in(key, member)
    return jax.random.fold_in(key, PURPOSES[purpose])


def random_index(key: jax.Array, num: int, order: int) -> jax.Array:
    """Returns ``num`` independent uniform numbers from 0 to ``order - 1``: those of ``jax.random.randint``.

    Where the order is a power of two, half of the random bits that it draws are multiplied by zero. They are left out
    here, because not every compiled program leaves them out, and they are a tenth of a small network's training step.
    """
    if order & (order - 1):
        return jax.random.randint(key, (num,), 0, order)
    dtype = jax.dtypes.canonicalize_dtype(jnp.int64)
    bits = jax.random.bits(jax.random.split(key)[1], (num,), jnp.uint64 if dtype == jnp.int64 else jnp.uint32)
    return (bits % bits.dtype.type(order)).astype(dtype)
