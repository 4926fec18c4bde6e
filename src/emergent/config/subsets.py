"""Names of the finite parts of groups by which training samples are augmented, for quantities that compare them."""

from collections.abc import Iterable

from emergent.config.groups import Augmentation


def subset_name(augmentation: Augmentation) -> str:
    """Returns a word such as ``octahedral``, ``so3_8`` (eight drawn rotations) or ``identity`` (no augmentation)."""
    group = augmentation.group.lower()
    if augmentation.order == 1:
        return "identity"
    return group if augmentation.is_whole_group or augmentation.order is None else f"{group}_{augmentation.order}"


def require_names(augmentations: Iterable[Augmentation]) -> None:
    """Refuses different augmentations whose quantities would have one name.

    Raises:
        ValueError: two of them are parts of one group with equally many elements, or differ in their mode alone.
    """
    named: dict[str, Augmentation] = {}
    for augmentation in augmentations:
        name = subset_name(augmentation)
        if named.setdefault(name, augmentation) != augmentation:
            raise ValueError(
                f"arms: two augmentations that differ are both called {name!r} where arms are compared by width; use "
                "parts of different sizes, and one mode"
            )
