"""Heat bath of SU(2) in two dimensions against exact means of loops; tolerances are standard errors."""

import numpy as np
import pytest
from scipy.special import iv

from emergent.config.base import validate
from emergent.config.generators import SU2Options
from emergent.datasets import su2_links
from emergent.datasets.su2_heat_bath import redraw, sample_links, staples
from emergent.errors import ConfigError
from emergent.groups import su2
from emergent.groups.gauge import wilson_loop

BETAS = np.array([0.1, 1.0, 2.5, 6.0])


def test_mean_plaquette_is_the_ratio_of_bessel_functions() -> None:
    # Copies of a coupling are independent chains.
    num = 150
    links = sample_links(8, np.repeat(BETAS, num), 1, 40, 1, np.random.default_rng(0))
    exact = iv(2, BETAS) / iv(1, BETAS)
    for sides, area in (((1, 1), 1), ((1, 2), 2)):
        # In two dimensions plaquettes are independent: loops fall with the area that they enclose.
        means = wilson_loop(links[:, 0], sides).mean((1, 2)).reshape(len(BETAS), num) / 2
        errors = means.std(1, ddof=1) / np.sqrt(num)
        assert (np.abs(means.mean(1) - exact**area) < 4 * errors).all()


@pytest.mark.parametrize("strength", [0.01, 2.0, 12.0])
def test_single_links_have_the_density_of_the_action(strength: float) -> None:
    num, generator = 20000, np.random.default_rng(1)
    field = su2.random_elements(generator, (num,))
    new = su2.random_elements(generator, (num,))
    for _ in range(10):
        new = redraw(new, field, np.full(num, strength), generator)
    # Re Tr (U V) / 2 has mean I_2 / I_1 under sqrt(1 - a^2) exp(strength a).
    cosine = su2.multiply(new, field)[:, 0]
    assert abs(cosine.mean() - iv(2, strength) / iv(1, strength)) < 4 * cosine.std() / np.sqrt(num)


def test_staples_are_the_derivative_of_the_action() -> None:
    generator = np.random.default_rng(2)
    links = su2.random_elements(generator, (1, 4, 4, 2))
    for mu in range(2):
        around = staples(links, mu)
        changed = links.copy()
        changed[0, 1, 2, mu] = su2.random_elements(generator, ())
        difference = (wilson_loop(changed, (1, 1)) - wilson_loop(links, (1, 1))).sum()
        moved = su2.multiply(changed[0, 1, 2, mu] - links[0, 1, 2, mu], around[0, 1, 2])
        assert abs(difference - su2.trace(moved)) < 1e-12


OPTIONS = {"sizes": [4, 6], "betas": [0.1, 6.0], "num_betas": 3, "num_train": 4, "num_validation": 2, "num_test": 1,
           "warm_up": 3, "spacing": 1, "seed": 0}  # fmt: skip


def test_splits_do_not_depend_on_one_another(tmp_path) -> None:
    first = su2_links.prepare(tmp_path, validate(SU2Options, OPTIONS, "case"))
    other = su2_links.prepare(tmp_path, validate(SU2Options, OPTIONS | {"num_train": 5}, "case"))
    assert first["train/inputs"].values.shape == (12, 4, 4, 2, 4)
    assert first["test_6/inputs"].values.shape == (3, 6, 6, 2, 4)
    np.testing.assert_array_equal(first["test_4/inputs"].values, other["test_4/inputs"].values)
    for name, array in first.items():
        if name.endswith("inputs"):
            su2.require_su2(array.values, name)


@pytest.mark.parametrize("bad", [{"sizes": [4, 5]}, {"sizes": [8, 4]}, {"betas": [2.0, 1.0]}])
def test_options_that_do_not_fit_are_refused(bad) -> None:
    with pytest.raises(ConfigError):
        validate(SU2Options, OPTIONS | bad, "case")
