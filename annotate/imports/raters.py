"""Who ranked elsewhere, as labelers without accounts."""

from collections.abc import Collection

from django.utils.crypto import salted_hmac

from annotate.models import Labeler, Project

LONGEST_PSEUDONYM = 100
DIGITS = 12
"""Of the hash: among ten thousand raters two share 48 bits in one project of five million."""


class Raters:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[str, Labeler] = {}
        self.made = 0

    def found(self, names: Collection[str], *, by_pseudonym: bool) -> dict[str, Labeler]:
        """The labeler of each name, made where there is none. `by_pseudonym`: the names are pseudonyms already."""
        pseudonyms = {name: self._pseudonym(name, by_pseudonym=by_pseudonym) for name in names}
        missing = set(pseudonyms.values()) - set(self._known)
        there = self._project.labelers.filter(pseudonym__in=missing)
        self._known |= {labeler.pseudonym: labeler for labeler in there}
        new = [Labeler(project=self._project, pseudonym=each) for each in sorted(missing - set(self._known))]
        self._known |= {labeler.pseudonym: labeler for labeler in Labeler.objects.bulk_create(new)}
        self.made += len(new)
        return {name: self._known[pseudonym] for name, pseudonym in pseudonyms.items()}

    def _pseudonym(self, name: str, *, by_pseudonym: bool) -> str:
        """A name may be a person's own, or an address: it is kept as a hash that only this installation can repeat."""
        if not name:
            return Labeler.UNKNOWN
        if by_pseudonym and "@" not in name and len(name) <= LONGEST_PSEUDONYM:
            return name
        keyed = salted_hmac("annotate.imports.raters", f"{self._project.pk} {name}", algorithm="sha256")
        return f"rater-{keyed.hexdigest()[:DIGITS]}"
