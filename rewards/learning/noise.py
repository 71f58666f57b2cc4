"""People who say now and then the opposite of what they mean. Pure: tensors in, tensors out."""

from torch import Tensor


def smoothed(p: Tensor, rate: float) -> Tensor:
    """Labels of which a share is taken for wrong: (1 - eps) p + eps (1 - p), (N,). A tie, p = 1/2, stays one.

    Szegedy et al. 2016, section 7; for preferences Mitchell 2023. The rewards are taught to be no surer than that."""
    return p + rate * (1 - 2 * p)
