"""Somebody who asks a run to stop."""

from rewards.learning.events import Stop


class StopAt(Stop):
    """Somebody asks to stop just before the work looks for the n-th time."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def check(self) -> None:
        self.looks -= 1
        self.requested = self.looks <= 0
        super().check()
