from pytest import approx

from annotate.charts import Scale, histogram, line, share_with_interval


def test_a_share_of_70_percent_lies_in_the_middle_of_a_line_from_40_to_100():
    picture = share_with_interval(0.7, 0.6, 0.8, width=640, margin=20)  # 600 wide: 10 % is 100
    assert (picture.low, picture.value, picture.high) == (220.0, 320.0, 420.0)
    assert (picture.span, picture.chance) == (200.0, 120.0)


def test_the_line_starts_at_zero_when_the_interval_reaches_below_40_percent():
    picture = share_with_interval(0.5, 0.2, 0.8, width=640, margin=20)
    assert [tick.label for tick in picture.ticks][0] == "0 %"
    assert (picture.low, picture.value, picture.high) == (140.0, 320.0, 500.0)


def test_an_interval_of_no_width_can_still_be_seen():
    assert share_with_interval(1.0, 1.0, 1.0).span == 1.0


def test_every_score_falls_into_one_bar():
    picture = histogram([0.0, 1.0, 2.0, 3.0, 4.0], bins=4, height=100)
    assert [bar.count for bar in picture.bars] == [1, 1, 1, 2]  # the greatest belongs to the last bar
    assert [bar.height for bar in picture.bars] == [50.0, 50.0, 50.0, 100.0]
    assert (picture.mean, picture.count) == (2.0, 5)


def test_equal_scores_make_a_picture_too():
    picture = histogram([1.5, 1.5], bins=4, width=400)
    assert sum(bar.count for bar in picture.bars) == 2
    assert picture.mean_x == approx(200)


def test_the_words_at_the_mean_stay_within_the_picture():
    anchors = [histogram(values).mean_anchor for values in ([0.0] * 9 + [1.0], [0.0, 1.0], [0.0] + [1.0] * 9)]
    assert anchors == ["start", "middle", "end"]


def test_no_finite_score_makes_no_picture():
    assert histogram([]) is None
    assert histogram([float("nan"), float("inf")]) is None


def test_a_line_goes_from_the_least_at_the_bottom_to_the_greatest_at_the_top():
    picture = line([1.0, 2.5, 3.0], width=640, height=160, margin=20)
    assert picture.path == "88.0,160.0 354.0,40.0 620.0,0.0"
    assert [(level.y, level.label) for level in picture.levels] == [(160.0, "+1.00"), (80.0, "+2.00"), (0.0, "+3.00")]
    assert [tick.label for tick in picture.ticks] == ["1", "2", "3"]


def test_equal_values_lie_in_the_middle_and_what_is_not_whole_is_not_drawn():
    assert {dot.y for dot in line([2.0, 2.0], height=160).dots} == {80.0}
    assert line([1.0]) is None and line([1.0, None, 2.0]) is None


def test_a_scale_puts_value_interval_and_mark_on_one_line():
    scale = Scale(-1.0, 1.0, width=240, margin=20)  # 200 wide: 0.1 is 10
    picture = scale.dot(0.5, 0.4, 0.6, mark=0.0)
    assert (picture.low, picture.value, picture.high, picture.chance) == (160.0, 170.0, 180.0, 120.0)
    assert [tick.label for tick in scale.ticks] == ["−1", "−0.5", "0", "0.5", "1"]


def test_a_value_without_an_interval_is_a_dot_without_a_mark():
    picture = Scale(0.0, 1.0).dot(0.5, None, None, mark=None)
    assert picture.low == picture.value == picture.high and picture.chance is None


def test_the_numbers_of_a_narrow_range_differ():
    picture = line([0.1234, 0.1240, 0.1241])
    assert [level.label for level in picture.levels] == ["+0.12340", "+0.12375", "+0.12410"]
    assert picture.rows == [("1", "+0.12340"), ("2", "+0.12400"), ("3", "+0.12410")]
    spread = histogram([0.1234, 0.1240, 0.1241], bins=4)
    assert [tick.label for tick in spread.ticks] == ["+0.12340", "+0.12375", "+0.12410"]
    assert spread.mean_label == "+0.12383" and len({start for start, *_ in spread.rows}) == len(spread.rows)


def test_a_line_makes_room_for_its_longest_number():
    plain, close = line([1.0, 2.0]), line([0.1, 0.1000001])
    assert (plain.left, plain.labels_end) == (68, 60)  # five signs
    assert len(close.levels[0].label) > 9 and close.labels_end > 108 and close.dots[0].x == close.left + 24


def test_numbers_too_close_to_tell_apart_make_a_picture_all_the_same():
    assert histogram([1.0, 1.0 + 1e-15]).count == 2 and line([1.0, 1.0 + 1e-15]).left > 0
