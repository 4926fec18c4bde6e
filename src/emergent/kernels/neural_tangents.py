"""The one door to neural_tangents: makes its last release, 0.6.5, importable on the JAX that this project uses.

neural_tangents 0.6.5 was written for JAX 0.4. From JAX 0.6 on its import fails, because it takes names from places
that JAX has since closed. This module lends JAX the missing names while neural_tangents is imported and takes them
back afterwards:

- ``jax.core``: Jaxpr, JaxprEqn, Literal, Primitive, Var (now in ``jax.extend.core``);
- ``jax.util``: safe_map, safe_zip (a module that no longer exists);
- ``jax.interpreters.ad.zeros_like_p`` (a removed primitive, used only as a key of a rule table);
- ``neural_tangents.experimental``: an empty module, because the real one imports TensorFlow and tf2jax, which nothing
  here uses.

Two names that neural_tangents also looks up while it runs, ``jax.core.ShapedArray`` and ``jax.core.eval_context``,
stay in ``jax.core`` if a newer JAX lacks them. Names that JAX still has are never replaced, x64 is not touched.

Left out, and refused: the STRUCTURED_DERIVATIVES and AUTO implementations of the empirical NTK, which interpret
JAX's internal program representation of 2023, and ``neural_tangents.predict.max_learning_rate``
(``emergent.prediction.gradient_flow`` has its own).
"""

import contextlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.core
import jax.extend.core
import jax.interpreters.ad

from emergent.errors import ConfigError

TESTED_JAX = ((0, 10), (0, 12))
"""First and last minor version of JAX on which this module was tested."""


def require_tested_jax(version: str) -> None:
    """Checks a JAX version against the tested range.

    Raises:
        ConfigError: the version is older or newer.
    """
    found = tuple(int(part) for part in version.split(".")[:2])
    first, last = (".".join(map(str, bound)) for bound in TESTED_JAX)
    if not TESTED_JAX[0] <= found <= TESTED_JAX[1]:
        raise ConfigError(
            f"neural_tangents was tested here with JAX {first}.x to {last}.x, found JAX {version}. "
            f"Install a tested one: pip install 'jax>={first},<{last.split('.')[0]}.{TESTED_JAX[1][1] + 1}'."
        )


def _internal_core(name: str) -> Any:
    return getattr(importlib.import_module("jax._src.core"), name)


@contextlib.contextmanager
def _lend(module: types.ModuleType, names: dict[str, Any]) -> Iterator[None]:
    """Adds the names that ``module`` lacks and removes them at the end; existing names are left alone."""
    lent = [name for name in names if name not in vars(module)]
    for name in lent:
        setattr(module, name, names[name])
    try:
        yield
    finally:
        for name in lent:
            delattr(module, name)


@contextlib.contextmanager
def _lend_module(name: str, content: dict[str, Any]) -> Iterator[None]:
    """Registers a module for the time of the import unless a real one exists."""
    if importlib.util.find_spec(name) is not None:
        yield
        return
    sys.modules[name] = module = types.ModuleType(name)
    vars(module).update(content)
    try:
        yield
    finally:
        del sys.modules[name]


def _safe_map(function: Callable[..., Any], *sequences: Any) -> list[Any]:
    return [function(*items) for items in zip(*sequences, strict=True)]


def _safe_zip(*sequences: Any) -> list[tuple[Any, ...]]:
    return list(zip(*sequences, strict=True))


def _import() -> types.ModuleType:
    require_tested_jax(jax.__version__)
    for name in ("ShapedArray", "eval_context"):
        if name not in vars(jax.core):
            setattr(jax.core, name, _internal_core(name))
    core_names = {name: getattr(jax.extend.core, name) for name in ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var")}
    core_names |= {name: _internal_core(name) for name in ("AbstractValue", "Value")}
    sys.modules.setdefault("neural_tangents.experimental", types.ModuleType("neural_tangents.experimental"))
    with (
        _lend(jax.core, core_names),
        _lend(jax.interpreters.ad, {"zeros_like_p": jax.extend.core.Primitive("zeros_like")}),
        _lend_module("jax.util", {"safe_map": _safe_map, "safe_zip": _safe_zip}),
    ):
        try:
            return importlib.import_module("neural_tangents")
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"cannot import neural_tangents ({error}). Install it without its declared dependencies, which drag "
                "TensorFlow in: pip install --no-deps neural-tangents==0.6.5, and pip install frozendict."
            ) from None


_neural_tangents = _import()

stax = _neural_tangents.stax
batch = _neural_tangents.batch
monte_carlo_kernel_fn = _neural_tangents.monte_carlo_kernel_fn
gradient_descent_mse_ensemble = _neural_tangents.predict.gradient_descent_mse_ensemble
NtkImplementation = _neural_tangents.NtkImplementation


def empirical_kernel_fn(
    function: Callable[..., Any],
    *,
    trace_axes: tuple[int, ...] = (-1,),
    implementation: Any = NtkImplementation.JACOBIAN_CONTRACTION,
    **options: Any,
) -> Callable[..., Any]:
    """Returns neural_tangents' empirical kernel function of ``function(params, inputs)``.

    Args:
        function: network.
        trace_axes: output axes over which both kernels are averaged; (-1,) is the channel axis.
        implementation: JACOBIAN_CONTRACTION or NTK_VECTOR_PRODUCTS.
        **options: passed on, for example ``vmap_axes``.

    Raises:
        ConfigError: the implementation is one that does not run on current JAX.
    """
    if implementation not in (NtkImplementation.JACOBIAN_CONTRACTION, NtkImplementation.NTK_VECTOR_PRODUCTS):
        raise ConfigError(
            f"empirical NTK implementation {implementation}: it does not run on JAX >= 0.6. "
            "Use JACOBIAN_CONTRACTION or NTK_VECTOR_PRODUCTS."
        )
    return _neural_tangents.empirical_kernel_fn(
        function, trace_axes=trace_axes, implementation=implementation, **options
    )
