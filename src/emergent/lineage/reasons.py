"""Why a file is not what it would be today: one reason, in words, and reasons alike taken together."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

MOST_SHOWN = 3
"""Settings, modules or inputs that a reason names."""
SHARED = ("results/datasets/", "config/")
"""Where inputs lie that are named one by one, since many files are made of them."""

Kind = Literal["not run", "missing", "not readable", "not recorded", "by value", "by code", "by input"]


class Reason(NamedTuple):
    """Why one file is not what it would be today.

    Attributes:
        kind: what differs.
        experiment: of the file; empty for figures, tables and verdicts.
        stage: of the experiment, or what made the figure.
        arm: of the experiment; empty for what belongs to all.
        names: settings with both values, modules, or the input.
        ending: since which commit code has changed; what became of an input.
    """

    kind: Kind
    experiment: str = ""
    stage: str = ""
    arm: str = ""
    names: tuple[str, ...] = ()
    ending: str = ""

    def __str__(self) -> str:
        """Returns the reason by itself."""
        if self.kind == "not run":
            return f"{self.experiment}: not run"
        words = [self.experiment, self.stage, f"arm {self.arm}" if self.arm else ""]
        return f"{', '.join(filter(None, words))}: {_what(self, some(self.names))}"


def _what(reason: Reason, names: str) -> str:
    match reason.kind:
        case "by value":
            return f"by value: {names or 'settings'}"
        case "by code":
            return f"by code: {names or 'code'}{reason.ending}"
        case "by input":
            return f"input {names}: {reason.ending}"
        case "not recorded":
            return "no provenance beside it"
        case _:
            return reason.kind


def some(names: tuple[str, ...], most: int = 0) -> str:
    """Returns the first names, and how many more there are.

    Args:
        names: any number.
        most: of names that others like this one have.
    """
    more = len(names) - MOST_SHOWN
    up_to = "up to " if most > len(names) else ""
    ending = f" and {up_to}{max(most - MOST_SHOWN, more)} more" if max(more, most - MOST_SHOWN) > 0 else ""
    return f"{', '.join(names[:MOST_SHOWN])}{ending}"


def together(reasons: Iterable[Reason], arms: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Returns the reasons of one experiment, or of one figure, each of them once with all that it holds for.

    Modules that changed since one commit are one reason where the first of them are the same: those of later stages
    are more. Inputs that nothing else is made of, such as blocks of members, are one.

    Args:
        reasons: in the order of the pipeline; stages that are empty are not named.
        arms: of every stage of the experiment; where a reason holds for all, they are not named.
    """
    groups: dict[tuple[object, ...], list[Reason]] = {}
    for given in reasons:
        reason = given._replace(names=without_numbers(given.names)) if given.kind == "by value" else given
        named: object = reason.names[:MOST_SHOWN]
        if reason.kind == "by input" and not reason.names[0].startswith(SHARED):
            named = ""
        groups.setdefault((reason.kind, named, reason.ending), []).append(reason)
    told = ((_places(group, arms), _shared(group)) for group in groups.values())
    return tuple(f"{places}: {what}" if places else what for places, what in told)


def without_numbers(changes: Iterable[str]) -> tuple[str, ...]:
    """Returns changes of settings, those that are alike in several entries of a list once: ``arms.*.symmetry``."""
    starred = {change: re.sub(r"\.\d+(?=[. ])", ".*", change) for change in changes}
    times = Counter(starred.values())
    return tuple(dict.fromkeys(star if times[star] > 1 else change for change, star in starred.items()))


def _shared(group: list[Reason]) -> str:
    if group[0].kind == "by input":
        return _what(group[0], some(tuple(dict.fromkeys(name for reason in group for name in reason.names))))
    most = max(len(reason.names) for reason in group)
    return _what(group[0], some(min((reason.names for reason in group), key=len), most))


def _places(group: list[Reason], arms: Mapping[str, Iterable[str]]) -> str:
    """Returns the stages, each with its arms, e.g. ``train, evaluate of mlp_512, mlp_1024; summary``."""
    by_stage: dict[str, list[str]] = {}
    for reason in group:
        own = by_stage.setdefault(reason.stage, [])
        if reason.arm and reason.arm not in own:
            own.append(reason.arm)
    by_arms: dict[str, list[str]] = {}
    for stage, own in by_stage.items():
        every = own and set(own) == set(arms.get(stage, ()))
        by_arms.setdefault("every arm" if every else ", ".join(own), []).append(stage)
    return "; ".join(f"{', '.join(stages)}{f' of {own}' if own else ''}" for own, stages in by_arms.items())
