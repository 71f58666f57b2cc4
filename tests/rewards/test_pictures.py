import pytest

from rewards import heldout, pictures
from rewards.calibration import Bin
from tests.rewards.verdicts import comparison


def test_a_dot_on_the_line_is_a_bin_whose_chance_holds():
    picture = pictures.reliability([Bin(0.75, 0.8, 0.75, 0.75, 0.7, 0.8, 9), Bin(0.95, 1.0, 1.0, 1.0, None, None, 1)])
    x1, y1, x2, y2 = picture.line
    first, second = picture.dots
    assert (first.x - x1) / (x2 - x1) == pytest.approx(0.5, abs=0.01) and (first.y - y1) / (y2 - y1) == pytest.approx(
        0.5
    )
    assert (second.x, second.y, second.top, second.bottom) == (x2, y2, y2, y2)
    assert first.bottom > first.y > first.top and (first.radius, second.radius) == (10.0, 3.5)
    assert picture.rows[0] == ("75 to 80 %", "75.0 %", "75.0 %", "70.0 % to 80.0 %", "9")
    assert picture.rows[1][3] == "–" and picture.levels[0].label == "40 %"


def test_shares_below_two_fifths_have_room():
    picture = pictures.reliability([Bin(0.5, 0.55, 0.52, 0.3, 0.1, 0.5, 2)])
    assert picture.levels[0].label == "0 %" and picture.dots[0].bottom < picture.height


def test_what_is_against_people_comes_with_the_surest_first():
    found = [comparison(-1.0, row=1), comparison(2.0, row=2), comparison(-3.0, row=3), comparison(0.0, row=4)]
    assert [one.row for one in heldout.against(found)] == [3, 1]


def test_a_reward_that_is_no_number_is_left_out():
    plain = {name: getattr(comparison(), name) for name in heldout.Comparison.__slots__}
    rows = [plain, plain | {"rewards": [float("nan"), 1.0]}, plain | {"of a later version": 1}]
    assert len(heldout.read(rows)) == 2
