import numpy as np
from sklearn.datasets import load_digits

from kilter.data import audit, load
from kilter.data.demo import KEPT, TARGET, digits


def test_all_but_sixty_of_the_eights_are_left_out():
    table = digits()
    pixels, digit = load_digits(return_X_y=True)
    seen = 0
    kept = []
    for row, value in enumerate(digit):
        seen += value == 8
        if value != 8 or seen <= KEPT:
            kept.append(row)
    assert table[TARGET].to_pylist() == ["yes" if digit[row] == 8 else "no" for row in kept]
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    assert table.column_names == [*names, TARGET]
    np.testing.assert_array_equal(table.select(names).to_pandas().to_numpy(), pixels[kept])


def test_the_table_is_as_skewed_as_it_says():
    report = audit(load(digits(), TARGET))
    assert report["classes"][0] == {"label": "yes", "rows": 60, "share": 60 / 1683}
    assert report["imbalance_ratio"] == 1623 / 60
    assert report["leaks"] == {}
    assert report["missing"] == {}


def test_the_same_every_time():
    assert digits().equals(digits())
