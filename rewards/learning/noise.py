"""People who say now and then the opposite of what they mean. Pure: tensors in, tensors out."""

import torch
from torch import Tensor

from rewards.learning.bradley_terry import Chances


def smoothed(p: Tensor, rate: float) -> Tensor:
    """Labels of which a share is taken for wrong: (1 - eps) p + eps (1 - p), (N,). A tie, p = 1/2, stays one.

    Szegedy et al. 2016, section 7; for preferences Mitchell 2023. The rewards are taught to be no surer than that."""
    return p + rate * (1 - 2 * p)


def flipped(chances: Chances, rate: Tensor | float) -> Chances:
    """P(win) becomes (1 - eps) P(win) + eps P(loss), and P(loss) the other way round; a tie stays as likely. (N,).

    eps is how often people press the wrong key: Copas 1988; Christiano et al. 2017, section 2.2.3, take 0.05, as 10 %
    of answers at random. However great a difference, a verdict against it surprises by -log eps at most."""
    eps = torch.as_tensor(rate, dtype=chances.win.dtype)
    keep, flip = torch.log1p(-eps), torch.log(eps)
    win = torch.logaddexp(keep + chances.win, flip + chances.loss)
    loss = torch.logaddexp(keep + chances.loss, flip + chances.win)
    return Chances(win, loss, chances.tie)
