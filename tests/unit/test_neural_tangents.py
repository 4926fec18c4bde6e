"""The compatibility module: what it refuses, and that it leaves JAX as it found it."""

import pathlib
import re
import subprocess
import sys

import pytest

import emergent.errors
from emergent.errors import ConfigError
from emergent.kernels import neural_tangents


@pytest.mark.parametrize("version", ["0.10.2", "0.11.0", "0.12.1", "0.12.0.dev20260101"])
def test_tested_versions_pass(version):
    neural_tangents.require_tested_jax(version)


@pytest.mark.parametrize("version", ["0.4.34", "0.9.2", "0.13.0", "1.0.0"])
def test_untested_versions_are_refused(version):
    with pytest.raises(ConfigError, match=rf"tested here with JAX 0\.10\.x to 0\.12\.x, found JAX {version}") as error:
        neural_tangents.require_tested_jax(version)
    assert "jax>=0.10,<0.13" in str(error.value)


def test_structured_derivatives_are_refused():
    implementation = neural_tangents.NtkImplementation
    for refused in (implementation.STRUCTURED_DERIVATIVES, implementation.AUTO):
        with pytest.raises(ConfigError, match="JACOBIAN_CONTRACTION or NTK_VECTOR_PRODUCTS"):
            neural_tangents.empirical_kernel_fn(lambda parameters, inputs: inputs, implementation=refused)


def test_import_leaves_jax_alone_and_needs_no_tensorflow():
    program = """
import sys, jax, jax.core, jax.interpreters.ad
before = [set(vars(module)) for module in (jax.core, jax.interpreters.ad)]
import emergent.kernels.neural_tangents
assert [set(vars(module)) for module in (jax.core, jax.interpreters.ad)] == before
assert "jax.util" not in sys.modules
assert not jax.config.jax_enable_x64
assert not {"tensorflow", "tf2jax"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_nothing_else_imports_neural_tangents():
    package = pathlib.Path(emergent.errors.__file__).parent
    pattern = re.compile(r"^\s*(import neural_tangents|from neural_tangents)|import_module\(.neural_tangents", re.M)
    modules = sorted(package.rglob("*.py"))
    found = [path.relative_to(package).as_posix() for path in modules if pattern.search(path.read_text())]
    assert found == ["kernels/neural_tangents.py"]
