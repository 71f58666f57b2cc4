"""What each figure of agreement is called, and what it means in plain words. Pure."""

TITLES = {
    "same": "Same verdict",
    "alpha": "Krippendorff’s alpha, nominal",
    "ordinal_alpha": "Krippendorff’s alpha, ordinal",
    "fleiss_kappa": "Fleiss’ kappa",
    "tau_b": "Kendall’s tau-b, mean",
    "majority": "Pairs with a majority",
    "unanimous": "Unanimous pairs",
    "ties": "Ties",
}
TEXTS = {
    "same": "Two people who compare the same two answers say the same {share} of the time.",
    "ordinal_alpha": "As above, but to take a win for a tie counts as less of an error than to take it for a loss.",
    "fleiss_kappa": "How much more often people agree than they would if each verdict came by its frequency alone.",
    "tau_b": "How alike two people order the same answers: 1 is the same order, 0 is chance, −1 the reverse.",
    "majority": "More than half of the people say the same on {share} of the pairs of answers.",
    "unanimous": "All people say the same on {share} of the pairs of answers.",
    "ties": "{share} of all verdicts are ties.",
}
RELIABLE, TENTATIVE = 0.8, 2 / 3
"""Krippendorff's own marks for data to draw conclusions from."""


def explained(name: str, value: float) -> str:
    return _alpha(value) if name == "alpha" else TEXTS[name].format(share=percent(value))


def percent(share: float) -> str:
    return f"{share:.0%}"


def _alpha(value: float) -> str:
    if value <= 0:
        return "People agree no more than chance would make them."
    gone = f"Of the disagreement that chance would make, {percent(value)} is gone."
    if value >= RELIABLE:
        return f"{gone} From 0.8 on Krippendorff calls data reliable."
    if value >= TENTATIVE:
        return f"{gone} From 0.67 on Krippendorff allows tentative conclusions."
    return f"{gone} Krippendorff asks for 0.67 or more; of taste, less is usual."


def people(found: list[dict[str, int]]) -> str:
    """ "2", "3 to 5"."""
    least, most = found[0]["people"], found[-1]["people"]
    return str(least) if least == most else f"{least} to {most}"
