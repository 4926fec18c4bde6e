"""Bodies as a camera sees them: sixteen joints in an image and, relative to the hips, in space.

A made-up skeleton, or annotations of Human3.6M that a user has been given: their licence must be asked for, and nothing
is downloaded here. Coordinates are those of the camera: to the right, down, and away from it.

References:
    Ionescu, Papava, Olaru and Sminchisescu, Human3.6M, IEEE TPAMI 36 (2014); anibali/h36m-fetch (layout of the files);
    una-dinosauria/3d-pose-baseline (names of the 32 joints).
"""

from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float

from emergent.config.skeletons import NUM_JOINTS, AnnotatedSkeletons, MadeSkeletons, PoseOptions
from emergent.errors import DataError
from emergent.storage import Array

ANNOTATED = (0, 12, 13, 15, 17, 18, 19, 25, 26, 27, 6, 7, 8, 1, 2, 3)
"""Of the 32 annotated joints, those that are ours, in the order of ``emergent.groups.joints.JOINTS``."""
FILE = "annot.h5"
SHAPES = {"pose/2d": (32, 2), "pose/3d": (32, 3)}
# Lengths in millimetres, about those of an adult; widths from the middle.
HIP_WIDTH, THIGH, SHIN = 130.0, 440.0, 430.0
BACK, CHEST, NECK, FACE = 240.0, 250.0, 180.0, 60.0
SHOULDER_WIDTH, UPPER_ARM, FOREARM = 170.0, 280.0, 250.0
FOCAL_LENGTH = 2.3
"""In units of half an image, about that of the cameras of Human3.6M."""
SHIFTS = (200.0, 100.0)
"""Standard deviations in millimetres of where hips are, to the side and down."""

Pose = tuple[Float[np.ndarray, "N J 2"], Float[np.ndarray, "N J 3"]]


def prepare(raw: Path, options: PoseOptions) -> dict[str, Array]:
    """Returns joints in the image [N, J, 2] and in space [N, J, 3], of poses for training and for testing.

    Raises:
        DataError: annotations are missing, damaged, of another shape or not finite.
    """
    del raw
    source = options.source
    splits = _made(source) if isinstance(source, MadeSkeletons) else read_annotations(source)
    arrays = {}
    for split, (seen, positions) in splits.items():
        arrays[f"{split}/seen"] = Array(
            seen.astype(np.float32), ("sample", "joint", "image_axis"), "half images", "from the middle: right, down"
        )
        arrays[f"{split}/positions"] = Array(
            positions.astype(np.float32), ("sample", "joint", "axis"), "mm", "relative to the hips: right, down, away"
        )
    return arrays


def read_annotations(source: AnnotatedSkeletons) -> dict[str, Pose]:
    """Returns joints in images and in space from a folder of annotations, by split.

    Raises:
        DataError: a subject has no annotations; a file is damaged, of another shape or not finite.
    """
    found = {}
    for split, subjects in (("train", source.train), ("test", source.test)):
        parts = [_subject(Path(source.folder) / subject, source) for subject in subjects]
        found[split] = tuple(np.concatenate(values) for values in zip(*parts, strict=True))
    return found


def _subject(folder: Path, source: AnnotatedSkeletons) -> Pose:
    paths = sorted(folder.glob(f"*/{FILE}"))
    if not paths:
        raise DataError(
            f"{folder}: expected annotations {folder.name}/Walking-1/{FILE} and the like, found none. Ask for the "
            "licence of Human3.6M, fetch it with h36m-fetch, and give its folder 'processed' as options.source.folder."
        )
    parts = [_annotations(path, source.every) for path in paths]
    seen, positions = (np.concatenate(values)[:, list(ANNOTATED)] for values in zip(*parts, strict=True))
    return 2 * seen / source.image_size - 1, positions - positions[:, :1]


def _annotations(path: Path, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns some frames of one file as float64: joints in pixels [N, 32, 2], and in millimetres [N, 32, 3]."""
    try:
        with h5py.File(path, "r") as file:
            values = [_dataset(path, file, name) for name in SHAPES]
    except OSError as error:
        raise DataError(
            f"{path}: expected an HDF5 file that can be read, found none ({error}); fetch it anew."
        ) from error
    if len(values[0]) != len(values[1]):
        raise DataError(
            f"{path}: expected as many poses in images as in space, found {len(values[0])} and {len(values[1])}; fetch "
            "it anew."
        )
    for name, value in zip(SHAPES, values, strict=True):
        if not np.isfinite(value).all():
            bad = int(np.flatnonzero(~np.isfinite(value).all((1, 2)))[0])
            raise DataError(f"{path}: {name}: expected finite numbers, found others in frame {bad}; fetch it anew.")
    return values[0][::every], values[1][::every]


def _dataset(path: Path, file: h5py.File, name: str) -> np.ndarray:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise DataError(
            f"{path}: expected data sets {' and '.join(SHAPES)}, found no {name}; fetch it with h36m-fetch."
        )
    if found.ndim != 3 or found.shape[1:] != SHAPES[name] or found.dtype.kind != "f" or not len(found):
        expected = " x ".join(map(str, SHAPES[name]))
        raise DataError(
            f"{path}: {name}: expected numbers of shape N x {expected}, found {found.dtype} of shape "
            f"{' x '.join(map(str, found.shape))}; the joints of Human3.6M are 32."
        )
    return found[:].astype(np.float64)


def _made(source: MadeSkeletons) -> dict[str, Pose]:
    generator, num = np.random.default_rng(source.seed), source.num_train + source.num_test
    bodies = made_bodies(generator, num, source.spread, source.preference)
    turned = _apply(_about_vertical(generator.uniform(0, 2 * np.pi, num)), bodies)
    place = np.stack([*(std * generator.normal(size=num) for std in SHIFTS), np.full(num, source.distance)], -1)
    there = turned + place[:, None]
    seen = FOCAL_LENGTH * there[..., :2] / there[..., 2:]
    first = source.num_train
    return {"train": (seen[:first], turned[:first]), "test": (seen[first:], turned[first:])}


def made_bodies(
    generator: np.random.Generator, num: int, spread: float, preference: float
) -> Float[np.ndarray, "N J 3"]:
    """Returns bodies in millimetres that face the camera, relative to their hips.

    Angles of both sides are drawn by the same law, but for the preference of the right arm.

    Args:
        generator: of all angles.
        num: bodies.
        spread: standard deviation of angles at shoulders and hips, in radians.
        preference: see ``emergent.config.skeletons.MadeSkeletons``.
    """
    bodies = np.zeros((num, NUM_JOINTS, 3))
    trunk = _sideways(generator.normal(0, 0.1, num)) @ _about_vertical(generator.normal(0, 0.2, num))
    trunk = trunk @ _forward(-generator.normal(0.15, 0.15, num))
    upper = np.zeros((num, 9, 3))
    upper[:, 0, 1], upper[:, 1, 1], upper[:, 2, 1] = -BACK, -BACK - CHEST, -BACK - CHEST - NECK
    # What is in front of the head alone says which way a body with straight limbs looks.
    upper[:, 2, 2] = -FACE
    shoulder = np.array([SHOULDER_WIDTH, -BACK - CHEST, 0.0])
    for side, first in ((1.0, 3), (-1.0, 6)):
        more = preference if side < 0 else 0.0
        raised, bent = generator.normal(0.4 + more, spread, num), generator.uniform(0, 2.0, num) + more
        aside, twist = np.abs(generator.normal(0.3, spread / 2, num)), generator.normal(0, 0.5, num)
        upper[:, first : first + 3] = _limb(shoulder, (UPPER_ARM, FOREARM), raised, aside, twist, bent, side)
    bodies[:, 1:10] = _apply(trunk, upper)
    hip = np.array([HIP_WIDTH, 0.0, 0.0])
    for side, first in ((1.0, 10), (-1.0, 13)):
        raised, bent = generator.normal(0.3, spread / 2, num), generator.uniform(0, 1.5, num)
        aside, twist = np.abs(generator.normal(0.1, spread / 4, num)), generator.normal(0, 0.2, num)
        # Knees bend backwards.
        bodies[:, first : first + 3] = _limb(hip, (THIGH, SHIN), raised, aside, twist, -bent, side)
    return bodies


def _limb(
    start: np.ndarray, lengths: tuple[float, float], raised: np.ndarray, aside: np.ndarray, twist: np.ndarray,
    bent: np.ndarray, side: float,
) -> Float[np.ndarray, "N 3 3"]:  # fmt: skip
    """Returns the joints of limbs on the left (side 1), or mirrored on the right (-1)."""
    down = np.array([0.0, 1.0, 0.0])
    first = _sideways(aside) @ _forward(raised)
    second = first @ _about_vertical(twist) @ _forward(bent)
    middle = start + lengths[0] * first @ down
    found = np.stack([np.broadcast_to(start, middle.shape), middle, middle + lengths[1] * second @ down], 1)
    return found * np.array([side, 1.0, 1.0])


def _apply(turns: Float[np.ndarray, "N 3 3"], points: Float[np.ndarray, "N P 3"]) -> Float[np.ndarray, "N P 3"]:
    return points @ turns.swapaxes(1, 2)


def _turns(angles: np.ndarray, first: int, second: int) -> Float[np.ndarray, "N 3 3"]:
    """Returns rotations that take one axis towards another."""
    found = np.tile(np.eye(3), (len(angles), 1, 1))
    found[:, first, first] = found[:, second, second] = np.cos(angles)
    found[:, second, first], found[:, first, second] = np.sin(angles), -np.sin(angles)
    return found


def _forward(angles: np.ndarray) -> Float[np.ndarray, "N 3 3"]:
    # From down to the front, which is towards the camera.
    return _turns(-angles, 1, 2)


def _sideways(angles: np.ndarray) -> Float[np.ndarray, "N 3 3"]:
    return _turns(angles, 1, 0)


def _about_vertical(angles: np.ndarray) -> Float[np.ndarray, "N 3 3"]:
    return _turns(angles, 0, 2)
