"""Which figure shows which claim: the one that names it in ``config/figures.yaml``, or the experiment's first."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from emergent.config.base import hint
from emergent.config.claims import Claim
from emergent.config.figure_kinds import Entry
from emergent.errors import ConfigError


def figure_of(claim: str, experiment: str, catalogue: Mapping[str, Entry]) -> str | None:
    """Returns the name of the figure that a claim belongs to; None if no figure draws its experiment.

    Args:
        claim: its identifier.
        experiment: the one that it judges.
        catalogue: figures and tables by name.
    """
    drawn = [entry for entry in catalogue.values() if experiment in entry.experiments]
    for entry in drawn:
        if _named(claim, entry) is not None:
            return entry.name
    # Figures that draw several experiments are named after the first.
    drawn.sort(key=lambda entry: entry.experiments[0] != experiment)
    return drawn[0].name if drawn else None


def in_order_of(entry: Entry, claims: Iterable[str]) -> list[str]:
    """Returns the identifiers of claims in the order of the patterns of their figure, otherwise as given."""
    last = len(entry.claims)

    def place(claim: str) -> int:
        found = _named(claim, entry)
        return last if found is None else found

    return sorted(claims, key=place)


def require_shown_claims(catalogue: Mapping[str, Entry], claims: Sequence[Claim]) -> None:
    """Checks that figures name claims that there are, each once.

    Raises:
        ConfigError: a pattern matches no claim on the figure's experiments, or two figures name one claim.
    """
    owners: dict[str, str] = {}
    for name, entry in catalogue.items():
        own = [claim.id for claim in claims if claim.experiment in entry.experiments]
        for pattern in entry.claims:
            matched = [claim for claim in own if fnmatchcase(claim, pattern)]
            if not matched:
                raise ConfigError(
                    f"config/figures.yaml: {name}: claims: {pattern!r} matches no claim on "
                    f"{', '.join(entry.experiments)}{hint(pattern, own)}"
                )
            for claim in matched:
                if owners.setdefault(claim, name) != name:
                    raise ConfigError(
                        f"config/figures.yaml: {owners[claim]} and {name} both name claim {claim}; leave it to one."
                    )


def _named(claim: str, entry: Entry) -> int | None:
    """Returns which of a figure's patterns matches a claim first; None if none does."""
    return next((index for index, pattern in enumerate(entry.claims) if fnmatchcase(claim, pattern)), None)
