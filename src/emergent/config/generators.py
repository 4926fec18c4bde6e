"""Typed options of the data sets that are made rather than downloaded."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel, require_ascending

Seed = Annotated[int, Field(ge=0)]
Pair = Annotated[tuple[float, float], Field(strict=False)]


class GeneratorOptions(StrictModel):
    """Options of a data set whose samples are drawn: more of them, and others, could have been made.

    Attributes:
        grids: splits that are no draw, but places chosen one by one.
    """

    grids: ClassVar[tuple[str, ...]] = ()


class PhotoPatchOptions(GeneratorOptions):
    """Square patches of two photographs.

    Attributes:
        size: edge of a patch in pixels.
        shrink: patches of ``shrink * size`` pixels are averaged over areas down to ``size``.
        num: number of test patches, half from each photograph.
        seed: of their positions.
        colour: three channels instead of one.
        num_train: training patches; 0 makes a test split alone.
    """

    size: int = Field(ge=4, le=64)
    shrink: int = Field(ge=1, le=6)
    num: PositiveInt
    seed: Seed
    colour: bool = False
    num_train: int = Field(default=0, ge=0)


class GaussianFieldOptions(GeneratorOptions):
    """Band-limited Gaussian random fields, x = irfft2(C) for each channel.

    Attributes:
        height: H in pixels.
        width: W in pixels.
        channels: independent channels.
        num: number of images.
        block: C[0:block, 0:block] is iid complex Gaussian, everything else zero.
        scale: mean and standard deviation that each image is brought to; null keeps the raw amplitude.
        seed: of the coefficients.
        amplitude: factor on the sum over frequencies, which does not depend on the size of the images then; null
            divides the sum by H W, as ``irfft2`` does.

    References:
        arXiv:2406.06504 and arXiv:2403.03103, out-of-distribution samples (block recovered from the printed images).
    """

    height: int = Field(ge=4)
    width: int = Field(ge=4)
    channels: PositiveInt
    num: PositiveInt
    block: PositiveInt
    scale: Pair | None
    seed: Seed
    amplitude: PositiveFloat | None = None

    @model_validator(mode="after")
    def _one_amplitude(self) -> "GaussianFieldOptions":
        if self.scale is not None and self.amplitude is not None:
            raise ValueError("scale brings every image to its own amplitude; set scale or amplitude to null")
        return self

    @model_validator(mode="after")
    def _block_fits(self) -> "GaussianFieldOptions":
        if self.block > self.height or self.block > self.width // 2 + 1:
            raise ValueError(
                f"block {self.block} does not fit the half spectrum of"
                f" {self.height} x {self.width // 2 + 1} coefficients"
            )
        if self.scale is not None and self.scale[1] <= 0:
            raise ValueError(f"scale: the standard deviation must be positive, found {self.scale[1]}")
        if self.scale is not None and self.block < 2:
            raise ValueError("scale: a block of 1 makes constant fields, which cannot be scaled")
        return self


class IsingOptions(GeneratorOptions):
    """Spin configurations of the two-dimensional Ising model and their per-site energies.

    Attributes:
        lattice_size: edge L of the square lattice.
        boundary: periodic or open.
        beta: inverse temperature in units where the weight of a configuration is exp(beta J sum over bonds s_i s_j)
            (critical near 0.4407 for J = 1); a pair [low, high] mixes temperatures uniformly; 0 gives iid spins.
        coupling: J.
        label_scale: factor on every target E(i), e.g. 1.0, or one over the number of sites.
        num_train: training configurations.
        num_test: test configurations.
        num_ood: out-of-distribution inputs, whose spins are N(0, 1) reals.
        distinct: keep only configurations with pairwise different C4 orbits, across training and test set.
        full_orbits: keep only configurations whose four rotations differ.
        num_sweeps: heat-bath sweeps from a random start; every configuration has its own chain.
        seed: of everything.

    References:
        arXiv:2403.03103, Ising experiment.
    """

    lattice_size: int = Field(ge=3, le=64)
    boundary: Literal["periodic", "open"]
    beta: float | Pair
    coupling: float
    label_scale: PositiveFloat
    num_train: PositiveInt
    num_test: PositiveInt
    num_ood: PositiveInt
    distinct: bool
    full_orbits: bool
    num_sweeps: int = Field(ge=1, le=100_000)
    seed: Seed

    @model_validator(mode="after")
    def _temperatures_are_ordered(self) -> "IsingOptions":
        low, high = self.beta if isinstance(self.beta, tuple) else (self.beta, self.beta)
        if low < 0 or high < low:
            raise ValueError(f"beta: expected a number >= 0 or [low, high] with 0 <= low <= high, found {self.beta}")
        return self


class CrossProductOptions(GeneratorOptions):
    """Pairs of vectors of space and their cross product.

    Attributes:
        num_train: training pairs, with components N(0, 1).
        num_test: test pairs, likewise.
        num_ood: out-of-distribution pairs, with components uniform in a cube.
        half_width: of the cube around the origin.
        seed: of everything.

    References:
        arXiv 2403.03103 and the talks on it, cross-product experiment.
    """

    num_train: PositiveInt
    num_test: PositiveInt
    num_ood: PositiveInt
    half_width: PositiveFloat
    seed: Seed


class CosineOptions(GeneratorOptions):
    """Points of a line and their cosine or sine.

    Attributes:
        function: of the place.
        num_train: training points, uniform in an interval.
        interval: its ends, ascending.
        half_width: the grids reach so far from 0.
        num_curve: points of the grid on which networks are drawn.
        num_truth: points of the grid on which the function is drawn.
        seed: of the training points.

    References:
        talks on arXiv 2403.03103, toy example.
    """

    grids: ClassVar[tuple[str, ...]] = ("curve", "truth")

    function: Literal["cosine", "sine"] = "cosine"
    num_train: PositiveInt
    interval: Pair
    half_width: PositiveFloat
    num_curve: int = Field(ge=2)
    num_truth: int = Field(ge=2)
    seed: Seed

    @model_validator(mode="after")
    def _interval_is_ordered(self) -> "CosineOptions":
        if self.interval[0] >= self.interval[1]:
            raise ValueError(f"interval: expected two ascending numbers, found {self.interval}")
        return self


class MoleculeOptions(GeneratorOptions):
    """Made-up molecules: chains of atoms at bond lengths, with energies of a pair potential.

    Attributes:
        num: number of molecules.
        num_atoms: fewest and most atoms.
        seed: of elements and places.
    """

    num: PositiveInt
    num_atoms: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
    seed: Seed

    @model_validator(mode="after")
    def _check(self) -> "MoleculeOptions":
        low, high = self.num_atoms
        if not 2 <= low <= high <= 29:
            raise ValueError(f"num_atoms: expected two numbers from 2 to 29, ascending, found {low}, {high}")
        return self


class SU2Options(GeneratorOptions):
    """Links of SU(2) lattice gauge theory in 1+1 dimensions, by heat bath.

    Attributes:
        sizes: of lattices, even, ascending; training samples are on the first.
        betas: smallest and largest coupling; the weight of links is exp(beta / 2 sum over plaquettes Re Tr P).
        num_betas: couplings, evenly spaced.
        num_train: training samples at each coupling.
        num_validation: the same for validation.
        num_test: test samples at each coupling, on every lattice.
        warm_up: sweeps of a chain before its first sample.
        spacing: sweeps between two samples; each split has one chain per coupling.
        seed: of everything.

    References:
        arXiv:2012.12901, Wilson loops in 1+1 dimensions.
    """

    sizes: Many[Annotated[int, Field(ge=4, le=128, multiple_of=2)]] = Field(min_length=1)
    betas: Pair
    num_betas: PositiveInt
    num_train: PositiveInt
    num_validation: PositiveInt
    num_test: PositiveInt
    warm_up: PositiveInt
    spacing: PositiveInt
    seed: Seed

    @model_validator(mode="after")
    def _check(self) -> "SU2Options":
        require_ascending("sizes", self.sizes)
        if not 0 <= self.betas[0] < self.betas[1]:
            raise ValueError(f"betas: expected [low, high] with 0 <= low < high, found {list(self.betas)}")
        return self
