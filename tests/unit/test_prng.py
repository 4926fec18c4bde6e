"""Random keys by meaning."""

import itertools

import jax
import numpy as np
import pytest

from emergent.prng import PURPOSES, member_key, name_id


def bits(*arguments) -> tuple[int, ...]:
    return tuple(int(word) for word in jax.random.key_data(member_key(*arguments)))


def test_every_meaning_has_its_own_key() -> None:
    meanings = list(
        itertools.product([0, 1, 2**31], ["ising", "fashion_mnist"], ["mlp", "cnn"], [0, 1, 10**6], PURPOSES)
    )
    keys = {bits(*meaning) for meaning in meanings}
    assert len(keys) == len(meanings)


def test_key_depends_on_the_meaning_only() -> None:
    first = bits(7, "ising", "mlp", 3, "augment")
    bits(7, "ising", "mlp", 4, "augment")
    assert bits(7, "ising", "mlp", 3, "augment") == first


def test_vector_of_members_has_the_keys_of_its_members() -> None:
    members = np.array([0, 5, 8])
    together = jax.vmap(lambda member: member_key(1, "ising", "mlp", member, "order"))(members)
    alone = [bits(1, "ising", "mlp", int(member), "order") for member in members]
    np.testing.assert_array_equal(jax.random.key_data(together), alone)


def test_traced_member_has_the_key_of_a_plain_number() -> None:
    traced = jax.jit(lambda member: jax.random.key_data(member_key(1, "ising", "mlp", member, "order")))(5)
    assert tuple(int(word) for word in traced) == bits(1, "ising", "mlp", 5, "order")


def test_key_is_the_same_in_double_precision(float64: None) -> None:
    with jax.enable_x64(False):
        single = bits(2403, "ising", "mlp", 3, "initialise")
    assert bits(2403, "ising", "mlp", 3, "initialise") == single


# Written down, so that no release of a library and no edit can change all networks unnoticed.
@pytest.mark.parametrize(
    ("meaning", "expected"),
    [
        ((0, "ising", "mlp_512", 0, "initialise"), (813444933, 2198533383)),
        ((2403, "ising", "mlp_512", 41, "augment"), (2615254503, 1413371633)),
    ],
)
def test_known_keys(meaning: tuple, expected: tuple[int, int]) -> None:
    assert bits(*meaning) == expected


def test_ids_are_fixed_numbers() -> None:
    # CRC-32 of the name.
    assert name_id("123456789") == 0xCBF43926
    assert dict(PURPOSES) == {"initialise": 0, "order": 1, "augment": 2}
