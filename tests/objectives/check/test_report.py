"""How many wrong entries the text of `check_grad` lists."""

import numpy as np
import pytest

from numbaopt import check_grad


@pytest.mark.parametrize("wrong", [4, 5, 6])
def test_five_entries_are_listed_and_dots_stand_for_more(wrong):
    def fun(x):
        g = 2 * x
        g[:wrong] += 100 * np.arange(1, wrong + 1)
        return float(x @ x), g

    found = check_grad(fun, np.ones(8))
    lines = str(found).splitlines()
    assert found.wrong.sum() == wrong and lines[0].endswith(f"in {wrong} of 8 entries:")
    assert sum(line.startswith("  x[") for line in lines) == min(wrong, 5)
    assert lines.count("  ...") == (wrong > 5)
