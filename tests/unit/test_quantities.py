"""Named scalars."""

import math

import pytest

from emergent.summaries.quantities import COLUMNS, Quantities, aliases


def test_table_keeps_order_and_columns() -> None:
    quantities = Quantities()
    quantities.add("b", 1, 0.5, 3, "second letter")
    quantities.add("a", 2.0)
    table = quantities.table()
    assert list(table.columns) == COLUMNS == ["name", "value", "stderr", "num", "description"]
    assert table.name.tolist() == ["b", "a"]
    assert table.iloc[0].tolist() == ["b", 1.0, 0.5, 3, "second letter"]
    # A single number without an error of its own.
    assert math.isnan(table.stderr[1]) and table.num[1] == 1
    assert [table[column].dtype.kind for column in ("value", "stderr", "num")] == ["f", "f", "i"]


def test_empty_table_has_the_columns() -> None:
    assert list(Quantities().table().columns) == COLUMNS


def test_name_cannot_be_used_twice() -> None:
    quantities = Quantities()
    quantities.add("a", 1)
    with pytest.raises(ValueError, match="quantity 'a' was added twice"):
        quantities.add("a", 1)


def test_aliases_are_the_roles_of_primary_sets() -> None:
    settings = {
        "data": {
            "mnist": {"role": "ood", "primary": True},
            "fields": {"role": "ood", "primary": False},
            "train": {"role": "train", "primary": True},
        }
    }
    assert aliases(settings, "mnist") == ["ood"]
    assert aliases(settings, "fields") == []
    # A set that is named like its role needs no alias.
    assert aliases(settings, "train") == []


def test_scalar_appears_under_its_data_set_and_its_alias() -> None:
    quantities = Quantities()
    quantities.add_with_alias("gain/{data}/3", "mnist", ["ood"], 1.5, 0.1, 7, description="d")
    quantities.add_with_alias("gain/{data}/3", "fields", [], 2.5, 0.2, 8, description="d")
    quantities.add_with_alias("noise/{data}", "in", ["in"], 3.5, 0.3, 9, description="d")
    table = quantities.table().set_index("name")
    assert table.index.tolist() == ["gain/mnist/3", "gain/ood/3", "gain/fields/3", "noise/in"]
    assert table.loc["gain/ood/3"].tolist() == table.loc["gain/mnist/3"].tolist() == [1.5, 0.1, 7, "d"]
