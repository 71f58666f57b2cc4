"""Pure: where the parts of a still picture lie. Templates draw them as inline SVG, with a table under it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


def place(value: float, least: float, most: float, start: float, end: float) -> float:
    """Where the value lies between start and end, when least lies at start and most at end."""
    return round(start + (value - least) / (most - least) * (end - start), 1)


MOST_DECIMALS = 9
DIGIT_WIDTH, GAP = 12, 8
"""Of a picture's text about, as wide as it is on a phone; between a label and its line."""


def decimals(step: float) -> int:
    """How many tell numbers apart that lie so far from each other: two, or more where they are close."""
    return min(max(2, 1 - math.floor(math.log10(step))), MOST_DECIMALS)


@dataclass(frozen=True)
class IntervalPicture:
    """A share with its interval on a line, beside what guessing gives. All are x in a picture of this width."""

    width: int
    low: float
    value: float
    high: float
    chance: float | None
    ticks: tuple[Tick, ...]

    @property
    def span(self) -> float:
        return round(max(self.high - self.low, 1.0), 1)


def share_with_interval(
    value: float, low: float, high: float, *, chance: float = 0.5, width: int = 640, margin: int = 24
) -> IntervalPicture:
    """Shares between 0 and 1. The line starts at 40 %, or at 0 where something lies below."""
    least = 0.0 if min(low, chance) < 0.4 else 0.4

    def x(share: float) -> float:
        return place(share, least, 1.0, margin, width - margin)

    ticks = tuple(Tick(x(tenth / 10), f"{tenth * 10} %") for tenth in range(round(least * 10), 11))
    return IntervalPicture(width=width, low=x(low), value=x(value), high=x(high), chance=x(chance), ticks=ticks)


@dataclass(frozen=True)
class Scale:
    """On which several values lie, each in a picture of its own."""

    least: float
    most: float
    width: int = 240
    margin: int = 14

    @property
    def ticks(self) -> tuple[Tick, ...]:
        steps = (self.least + (self.most - self.least) * step / 4 for step in range(5))
        return tuple(Tick(self._x(at), f"{at:g}".replace("-", "−")) for at in steps)

    def dot(self, value: float, low: float | None, high: float | None, mark: float | None) -> IntervalPicture:
        """Without an interval, the dot alone; `mark` is what it is held against."""
        ends = (self._x(value if end is None else end) for end in (low, high))
        at = None if mark is None else self._x(mark)
        return IntervalPicture(self.width, next(ends), self._x(value), next(ends), at, self.ticks)

    def _x(self, value: float) -> float:
        return place(value, self.least, self.most, self.margin, self.width - self.margin)


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    start: float
    end: float
    count: int


@dataclass(frozen=True)
class HistogramPicture:
    width: int
    height: int
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    mean: float
    mean_label: str
    mean_x: float
    mean_anchor: str
    """Where the text at the line of the mean holds on to it, so that it stays within the picture."""
    count: int
    columns: tuple[str, ...] = ("From", "To", "Answers")

    @property
    def rows(self) -> list[tuple[str, ...]]:
        digits = decimals(self.bars[0].end - self.bars[0].start)
        return [
            (f"{bar.start:+.{digits}f}", f"{bar.end:+.{digits}f}", str(bar.count)) for bar in self.bars if bar.count
        ]


def histogram(
    values: Sequence[float], *, bins: int = 24, width: int = 640, height: int = 160
) -> HistogramPicture | None:
    """Equal bins from the least to the greatest value. What is not finite is left out; None if nothing is left."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    least, most = min(finite), max(finite)
    if least == most:
        least, most = least - 0.5, most + 0.5
    counts = [0] * bins
    for value in finite:
        counts[min(int((value - least) / (most - least) * bins), bins - 1)] += 1
    edges = [least + (most - least) * edge / bins for edge in range(bins + 1)]
    mean = math.fsum(finite) / len(finite)
    mean_x = place(mean, least, most, 0, width)
    digits = decimals((most - least) / 2)
    return HistogramPicture(
        width=width,
        height=height,
        bars=_bars(edges, counts, width, height),
        ticks=tuple(
            Tick(place(at, least, most, 0, width), f"{at:+.{digits}f}") for at in (least, (least + most) / 2, most)
        ),
        mean=mean,
        mean_label=f"{mean:+.{digits}f}",
        mean_x=mean_x,
        mean_anchor="start" if mean_x < width / 4 else "end" if mean_x > width * 3 / 4 else "middle",
        count=len(finite),
    )


def _bars(edges: Sequence[float], counts: Sequence[int], width: int, height: int) -> tuple[Bar, ...]:
    bars = []
    for start, end, count in zip(edges, edges[1:], counts, strict=False):
        left = place(start, edges[0], edges[-1], 0, width) + 1
        right = place(end, edges[0], edges[-1], 0, width) - 1
        tall = round(count / max(counts) * height, 1)
        bars.append(Bar(left, round(height - tall, 1), round(right - left, 1), tall, start, end, count))
    return tuple(bars)


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    at: int
    value: float
    label: str


@dataclass(frozen=True)
class Level:
    y: float
    label: str


@dataclass(frozen=True)
class LinePicture:
    """Dots of values at 1, 2, ..., n, joined by a line."""

    width: int
    height: int
    left: int
    """Where the lines of the levels begin."""
    labels_end: int
    """Where their labels end, beside them."""
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    levels: tuple[Level, ...]
    columns: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        return [(str(dot.at), dot.label) for dot in self.dots]

    @property
    def path(self) -> str:
        return " ".join(f"{dot.x},{dot.y}" for dot in self.dots)


def line(
    values: Sequence[float | None],
    *,
    columns: tuple[str, str] = ("Number", "Value"),
    width: int = 640,
    height: int = 160,
    margin: int = 24,
) -> LinePicture | None:
    """From the least value at the bottom to the greatest at the top, with room at the left for their numbers. None for
    fewer than two, or if one is missing."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if len(finite) < 2 or len(finite) < len(values):
        return None
    least, most = min(finite), max(finite)
    if least == most:
        least, most = least - 0.5, most + 0.5
    digits = decimals((most - least) / 2)
    levels = tuple(
        Level(place(at, least, most, height, 0), f"{at:+.{digits}f}") for at in (least, (least + most) / 2, most)
    )
    left = DIGIT_WIDTH * max(len(level.label) for level in levels) + GAP
    dots = tuple(
        Dot(
            x=place(number, 1, len(finite), left + margin, width - margin),
            y=place(value, least, most, height, 0),
            at=number,
            value=value,
            label=f"{value:+.{digits}f}",
        )
        for number, value in enumerate(finite, start=1)
    )
    shown = sorted({1, (1 + len(finite)) // 2, len(finite)})
    ticks = tuple(Tick(dots[at - 1].x, str(at)) for at in shown)
    return LinePicture(width, height, left, left - GAP, dots, ticks, levels, columns)


@dataclass(frozen=True)
class PairOfBars:
    """Two counts of one bin, side by side."""

    label: str
    one: Bar
    other: Bar


@dataclass(frozen=True)
class TwoHistograms:
    width: int
    height: int
    bins: tuple[PairOfBars, ...]
    ticks: tuple[Tick, ...]
    columns: tuple[str, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        return [(found.label, f"{found.one.count:,}", f"{found.other.count:,}") for found in self.bins]


def two_histograms(
    bins: Sequence[tuple[str, int, int]], *, columns: tuple[str, str, str], width: int = 640, height: int = 160
) -> TwoHistograms | None:
    """Of (label, count of one, count of the other). None where nothing was counted."""
    most = max((count for _, *counts in bins for count in counts), default=0)
    if not most:
        return None
    step = width / len(bins)

    def bar(place: float, half: int, count: int) -> Bar:
        tall = round(count / most * height, 1)
        left, wide = round(place * step + step * (0.1 + 0.4 * half), 1), round(step * 0.38, 1)
        return Bar(left, round(height - tall, 1), wide, tall, place, place + 1, count)

    pairs = tuple(PairOfBars(label, bar(n, 0, one), bar(n, 1, other)) for n, (label, one, other) in enumerate(bins))
    ticks = tuple(Tick(round((n + 0.5) * step, 1), label) for n, (label, _, _) in enumerate(bins))
    return TwoHistograms(width, height, pairs, ticks, columns)


@dataclass(frozen=True)
class Lane:
    label: str
    width: float
    count: int
    share: float


def lanes(counts: Sequence[tuple[str, int]], *, width: int = 100, most: int = 12, others: str = "others") -> list[Lane]:
    """Bars that lie, the longest first; what comes after the most of them is one bar."""
    total = sum(count for _, count in counts)
    shown = list(counts[:most])
    if rest := sum(count for _, count in counts[most:]):
        shown.append((f"{len(counts) - most:,} {others}", rest))
    longest = max((count for _, count in shown), default=0)
    return [Lane(label, round(count / longest * width, 1), count, count / total) for label, count in shown if count]
