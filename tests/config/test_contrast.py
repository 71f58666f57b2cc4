"""Every text of the look can be read, in light and in dark: at least 4.5:1, and 3:1 for the edges of controls."""

import re
from pathlib import Path

import pytest

STYLES = (Path(__file__).resolve().parents[2] / "config" / "static" / "site.css").read_text()
COLOURS = {m[1]: (m[2], m[3]) for m in re.finditer(r"--([a-z-]+): light-dark\((#\w{6}), (#\w{6})\);", STYLES)}
TEXT = [
    *((colour, ground) for colour in ("ink", "soft", "accent") for ground in ("page", "card", "sunken", "tint")),
    *((colour, f"{colour}-tint") for colour in ("good", "tie", "warning", "danger")),
    *((colour, "card") for colour in ("good", "tie", "warning", "danger")),
    ("on-accent", "accent"),
    ("on-accent", "danger"),
]
EDGES = [("edge", "card"), ("edge", "page"), ("accent", "page")]


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_21_to_1():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (EDGES, 3.0)], ids=["text", "edges"])
def test_colours_stand_out_from_their_ground(pairs, least, theme):
    found = {pair: contrast(*(COLOURS[name][theme] for name in pair)) for pair in pairs}
    assert {pair: ratio for pair, ratio in found.items() if ratio < least} == {}
