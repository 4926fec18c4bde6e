"""Encoders that learn from images without labels, and what their embeddings are like.

In: the stage of an arm and its images. Out, for every network: how well rotations of its embeddings follow random views
on held-out images, whether these rotations compose, how inner products change under views, and accuracies of readouts.
The engine takes the steps.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.contrastive import ContrastiveStage
from emergent.config.training import Training
from emergent.domains.contrastive import Labelled, Unlabelled, scaled, unit
from emergent.errors import DataError
from emergent.groups.views import View, draw_views, repeated, take_views
from emergent.models.projected_encoder import EncoderNet
from emergent.prng import member_key
from emergent.storage import Array
from emergent.training.contrastive_losses import info_nce, inner_product_change, uniformity
from emergent.training.embedding_probes import (
    Fit,
    composed_residual,
    fit_view,
    neighbour_accuracy,
    pair_products,
    readout_accuracy,
)
from emergent.training.engine import Divergence, Progress, default_strategy, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner

# Views that networks are tested under, the same for all of them.
PROBE = "probe"
AT_A_TIME = 250

Variables = dict[str, Any]
Embed = Callable[[Variables, Float[np.ndarray, "N H W C"]], tuple[np.ndarray, np.ndarray]]
"""Variables of a network and images between 0 and 1 to features [N, F] and embeddings [N, D]."""


def learner(stage: ContrastiveStage) -> Learner:
    """Returns how the networks of an arm learn."""
    module, train, objective = EncoderNet(stage.network), stage.train, stage.objective
    num, parts = train.batch_size, train.sub_batches
    attract = info_nce if objective.invariance else uniformity

    def initialise(key: JaxArray, sample: JaxArray, given: Any) -> tuple[Any, tuple[()]]:
        del given
        return module.init(key, sample, False)["params"], ()

    def gradient(
        parameters: Any, held: Any, data: Unlabelled, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        del held
        images = unit(data.images if indices is None else data.images[indices])
        single, shared = jax.random.split(key)
        drawn, copies = draw_views(stage.views, single, 2 * num), 2
        if objective.weight:
            common = repeated(draw_views(stage.views, shared, 2 * parts), num // parts)
            drawn, copies = View(*(jnp.concatenate(both) for both in zip(drawn, common, strict=True))), 4
        seen = scaled(take_views(stage.views, jnp.tile(images, (copies, 1, 1, 1)), drawn), stage.data)

        def loss(parameters: Any) -> JaxArray:
            # All views in one batch, whose statistics normalise it; those that it would store are not kept.
            (_, embedded), _ = module.apply({"params": parameters}, seen, True, mutable=["batch_stats"])
            total = attract(embedded[:num], embedded[num : 2 * num], train.temperature)
            if objective.weight:
                cut = embedded[2 * num :].reshape(2, parts, num // parts, -1)
                total += objective.weight * inner_product_change(cut[0], cut[1])
            return total

        return jax.value_and_grad(loss)(parameters)

    # The decay goes through Adam, as in the published optimiser, not past it.
    optimiser = optax.chain(optax.add_decayed_weights(train.weight_decay), optax.adam(train.learning_rate))
    return Learner(initialise, gradient, optimiser, has_convolutions=stage.network.family == "residual")


def embedding(stage: ContrastiveStage) -> Embed:
    """Returns a compiled function that embeds images, some at a time, by stored statistics."""
    module = EncoderNet(stage.network)
    forward = jax.jit(lambda variables, images: module.apply(variables, scaled(images, stage.data), False))

    def embed(variables: Variables, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [forward(variables, images[first : first + AT_A_TIME]) for first in range(0, len(images), AT_A_TIME)]
        features, embedded = (np.concatenate([np.asarray(part[index]) for part in parts]) for index in range(2))
        return features, embedded

    return embed


class Probe(NamedTuple):
    """What all networks are shown, with pixels between 0 and 1.

    Attributes:
        statistics: views of training images, of which batch normalisation takes its statistics.
        train: training images.
        test: test images.
        views: [A, T, H, W, C], the probed test images in views a_1 ... a_A, each the same for all of them.
        composed: [A, T, H, W, C], the view after a_k, cyclically, of view a_k.
        train_labels: of the training images.
        test_labels: of the test images.
    """

    statistics: np.ndarray
    train: np.ndarray
    test: np.ndarray
    views: np.ndarray
    composed: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray


def make_probe(stage: ContrastiveStage, train: Labelled, test: Labelled) -> Probe:
    """Returns what all networks are shown.

    Raises:
        DataError: there are too few images.
    """
    probes = stage.probes
    for what, wanted, found in (("probes.images", probes.images, len(test.labels)),
                                ("probes.statistics", probes.statistics, len(train.labels))):  # fmt: skip
        if found < wanted:
            raise DataError(f"{what}: expected at most the {found} images that there are, found {wanted}; lower it.")
    key = member_key(stage.seed, stage.experiment, PROBE, 0, "augment")
    take = jax.jit(partial(take_views, stage.views))
    single = draw_views(stage.views, jax.random.fold_in(key, 0), probes.statistics)
    statistics = take(unit(train.images[: probes.statistics]), single)
    drawn = draw_views(stage.views, jax.random.fold_in(key, 1), probes.views)
    images = unit(test.images[: probes.images])
    each = [repeated(View(*(values[index : index + 1] for values in drawn)), probes.images)
            for index in range(probes.views)]  # fmt: skip
    views = [take(images, view) for view in each]
    composed = [take(first, second) for first, second in zip(views, [*each[1:], each[0]], strict=True)]
    return Probe(
        np.asarray(statistics),
        np.asarray(unit(train.images)),
        np.asarray(unit(test.images)),
        np.stack([np.asarray(part) for part in views]),
        np.stack([np.asarray(part) for part in composed]),
        train.labels,
        test.labels,
    )


class Tested(NamedTuple):
    """What one network gives; A views, P pairs of images.

    Attributes:
        residual: [A] of fitted rotations.
        shift: [A] without a rotation.
        unrelated: [A] of rotations fitted on pairs of different images.
        start: [A] of rotations that are fitted before training.
        composed: [A] of products of two fitted rotations.
        direct: [A] of rotations that are fitted to two views in turn.
        products: [P] inner products of images.
        changes: [A, P] how they change under a view of both.
        readout: accuracy of a linear readout of features.
        neighbours: accuracy of the nearest neighbours by features.
    """

    residual: np.ndarray
    shift: np.ndarray
    unrelated: np.ndarray
    start: np.ndarray
    composed: np.ndarray
    direct: np.ndarray
    products: np.ndarray
    changes: np.ndarray
    readout: float
    neighbours: float


def with_statistics(stage: ContrastiveStage, parameters: Any, probe: Probe) -> Variables:
    """Returns the variables of a network with the statistics of views of training images."""
    module = EncoderNet(stage.network)
    images = scaled(jnp.asarray(probe.statistics), stage.data)
    _, stored = module.apply({"params": parameters}, images, True, mutable=["batch_stats"])
    return {"params": parameters, **stored}


def test_network(stage: ContrastiveStage, embed: Embed, variables: Variables, probe: Probe, start: Variables) -> Tested:
    """Returns what a trained network gives; ``start`` is the same before training."""
    probes = stage.probes
    train_features, _ = embed(variables, probe.train)
    test_features, embedded = embed(variables, probe.test)
    source, pairs = embedded[: probes.images], slice(0, probes.pairs_of)
    views = [embed(variables, images)[1] for images in probe.views]
    both = [embed(variables, images)[1] for images in probe.composed]
    fits = [fit_view(source, target) for target in views]
    turned = [
        composed_residual(source, first, second, target)
        for first, second, target in zip(views, [*views[1:], views[0]], both, strict=True)
    ]
    products = pair_products(source[pairs])
    changes = np.stack([pair_products(view[pairs]) - products for view in views])
    known = (train_features, probe.train_labels), (test_features, probe.test_labels)
    before = embed(start, probe.test[: probes.images])[1]
    untrained = [fit_view(before, embed(start, images)[1]).residual for images in probe.views]
    columns = {name: np.array([getattr(fit, name) for fit in fits]) for name in Fit._fields}
    composed, direct = np.array(turned).T
    return Tested(
        **columns, start=np.array(untrained), composed=composed, direct=direct, products=products, changes=changes,
        readout=readout_accuracy(*known), neighbours=neighbour_accuracy(*known, probes.neighbours),
    )  # fmt: skip


def contrastive_arrays(
    stage: ContrastiveStage,
    members: Sequence[int],
    images: tuple[Labelled, Labelled],
    on_progress: Progress | None = None,
    vectorised: bool | None = None,
) -> dict[str, Array]:
    """Returns what a block of networks gives as arrays to be stored.

    Args:
        stage: settings of one arm.
        members: indices over all networks.
        images: for training and for tests.
        on_progress: called with the number of network-epochs just finished.
        vectorised: networks of a block train together; None chooses by backend.

    Raises:
        DataError: a loss is not finite (names network and epoch), or there are too few images.
    """
    vectorised = default_strategy() == "block" if vectorised is None else vectorised
    train, own = stage.train, learner(stage)
    settings = Training(
        loss="mse",
        optimiser="adam",
        learning_rate=train.learning_rate,
        batch_size=train.batch_size,
        num_epochs=train.num_epochs,
        matmul_precision=train.matmul_precision,
    )
    probe, data = make_probe(stage, *images), Unlabelled(jnp.asarray(images[0].images))
    program = Program(settings, own, data.num_samples, vectorised)
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.initialisation)
    result = train_members(program, names, tuple(members), data, partial(_words, stage), len(members), on_progress)
    embed, found = embedding(stage), []
    statistics = jax.jit(partial(with_statistics, stage, probe=probe))
    with jax.default_matmul_precision(train.matmul_precision):
        for position, member in enumerate(members):
            start, _ = own.initialise(member_keys(names, jnp.asarray(member)).initialise, data.example(), None)
            parameters = from_flat(start, {name: value[-1, position] for name, value in result.parameters.items()})
            found.append(test_network(stage, embed, statistics(parameters), probe, statistics(start)))
    return _stored(members, result.losses[-1], found)


def _stored(members: Sequence[int], losses: np.ndarray, found: Sequence[Tested]) -> dict[str, Array]:
    by_view = {
        "residual": "distance of rotated embeddings from those of a view, of held-out images",
        "shift": "the same without a rotation",
        "unrelated": "the same of a rotation fitted on pairs of different images",
        "start": "the same before training, of a rotation fitted there",
        "composed": "the same of the product of two rotations, from two views in turn",
        "direct": "the same of the rotation fitted to two views in turn",
    }

    def stack(name: str) -> np.ndarray:
        return np.stack([getattr(one, name) for one in found])

    return {
        "members": Array(np.asarray(members), ("member",), "1", "index over all networks"),
        "loss": Array(losses, ("member",), "1", "mean training loss of the last epoch"),
        **{name: Array(stack(name), ("member", "view"), "1", text) for name, text in by_view.items()},
        "products": Array(stack("products").astype(np.float32), ("member", "pair"), "1", "inner products of images"),
        "changes": Array(stack("changes").astype(np.float32), ("member", "view", "pair"), "1", "under a view of both"),
        "readout": Array(stack("readout"), ("member",), "1", "accuracy of a linear readout on test images"),
        "neighbours": Array(stack("neighbours"), ("member",), "1", "accuracy of nearest neighbours on test images"),
    }


def _words(stage: ContrastiveStage, found: Divergence) -> str:
    return (
        f"network {found.member} of arm {stage.arm}: the training loss is {found.loss} in epoch {found.epoch}; nothing "
        f"was written. Lower train.learning_rate ({stage.train.learning_rate})."
    )
