"""What all tests share: strict array semantics, modest use of the machine, no network, float64 on request."""

import os

# Before JAX starts: the test runner already keeps every core busy, with one process each.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")

import socket
from collections.abc import Iterator

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
# Verbs that are called in a test's own process would otherwise switch it on for all tests that follow.
jax.config.update("jax_enable_compilation_cache", False)


@pytest.fixture
def float64() -> Iterator[None]:
    """Runs the test with JAX in double precision."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a connection to anything but this machine an error, in this process."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        is_remote = self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple)
        if is_remote and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"tests must not use the network, but one connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
