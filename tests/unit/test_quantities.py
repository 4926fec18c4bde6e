"""Named estimates."""

import math

import pytest
from summary_cases import data_facts

from emergent.statistics.estimate import Estimate
from emergent.summaries.quantities import COLUMNS, Quantities

ESTIMATE = Estimate(1.5, 0.1, 7, "fit")


def test_table_keeps_order_and_columns() -> None:
    quantities = Quantities()
    quantities.add("b", Estimate(1, 0.5, 3, "pool"), "second letter")
    quantities.add("a", Estimate(2.0, math.nan, 1, "mean"), "first letter")
    table = quantities.table()
    assert list(table.columns) == COLUMNS == ["name", "value", "stderr", "dof", "num", "estimator", "description"]
    assert table.name.tolist() == ["b", "a"]
    assert table.drop(columns="dof").iloc[0].tolist() == ["b", 1.0, 0.5, 3, "pool", "second letter"]
    assert math.isnan(table.stderr[1]) and table.num[1] == 1
    assert [table[column].dtype.kind for column in ("value", "stderr", "num")] == ["f", "f", "i"]


def test_empty_table_has_the_columns() -> None:
    assert list(Quantities().table().columns) == COLUMNS


def test_name_cannot_be_used_twice() -> None:
    quantities = Quantities()
    quantities.add("a", ESTIMATE, "d")
    with pytest.raises(ValueError, match="quantity 'a' was added twice"):
        quantities.add("a", ESTIMATE, "d")


def test_estimate_appears_under_its_data_set_and_the_role_of_a_primary_one() -> None:
    quantities = Quantities()
    primary, other = data_facts("mnist", "ood", "mnist"), data_facts("fields", "ood", "fields", primary=False)
    quantities.add_on(primary, ("gain/{data}/3", ESTIMATE, "d"), ("loss/{data}", ESTIMATE, "e"))
    quantities.add_on(other, ("gain/{data}/3", ESTIMATE, "d"))
    # A set that is named like its role appears once.
    quantities.add_on(data_facts("train", "train", "x"), ("noise/{data}", ESTIMATE, "d"))
    table = quantities.table().set_index("name")
    assert table.index.tolist() == [
        "gain/mnist/3",
        "loss/mnist",
        "gain/ood/3",
        "loss/ood",
        "gain/fields/3",
        "noise/train",
    ]
    table = table.drop(columns="dof")
    assert table.loc["gain/ood/3"].tolist() == table.loc["gain/mnist/3"].tolist() == [1.5, 0.1, 7, "fit", "d"]
