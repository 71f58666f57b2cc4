from datetime import timedelta

import pytest

from training.templatetags.figures import duration, figure, percent, signed


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (41, "41 s"),
        (221, "3 min 41 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (90061, "1 d 1 h"),
        (7260, "2 h 1 min"),
    ],
)
def test_a_duration_says_its_two_greatest_units(seconds, words):
    assert duration(seconds) == duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0.41234, "0.412"), (1e-5, "1e-05"), (18402.0, "18,402"), (12.34, "12.3"), (1234.5, "1,234"), (None, "–")],
)
def test_a_figure_has_the_digits_that_count(number, words):
    assert figure(number) == words


def test_shares_and_rewards_say_their_unit_and_sign():
    assert percent(0.6942) == "69.4 %"
    assert signed(0.5) == "+0.50"
