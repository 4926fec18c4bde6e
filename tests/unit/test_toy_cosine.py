"""Networks on a line: the data, the symmetry of trained ensembles, its measure, the picture and the animation."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from figure_tables import all_inputs, curve_tables
from PIL import Image

from emergent import storage
from emergent.config.claims import read_claims
from emergent.config.figures import read_catalogue
from emergent.config.generators import CosineOptions
from emergent.config.groups import Augmentation
from emergent.config.models import MlpModel
from emergent.config.references import read_reference
from emergent.config.stages import EvaluateStage, TrainStage
from emergent.config.study import SCALES
from emergent.datasets.cosine import prepare
from emergent.domains.arrays import array_data
from emergent.domains.registry import orbit_sets, training_data
from emergent.domains.space import VectorAction, matrices, training_action
from emergent.errors import ConfigError
from emergent.evaluation.orbits import evaluate_block
from emergent.figures import style
from emergent.figures.drawing import Drawing
from emergent.figures.learned_curves import MEAN
from emergent.figures.plots import animate, draw
from emergent.figures.save_animation import save_animation
from emergent.groups.actions import TrivialAction
from emergent.kinds import KINDS, load_experiment
from emergent.models.registry import build
from emergent.point_groups import group_from_name
from emergent.summaries.curve_symmetry import kept_asymmetry
from emergent.training.engine import train_block
from emergent.training.step import MemberState, make_optimiser, make_step, network_gradient

CONFIG = Path(__file__).parents[2] / "config"
ENTRY = read_catalogue(CONFIG / "figures.yaml")["toy_cosine"]
REFERENCES = {"toy_cosine": read_reference(CONFIG / "references/toy_cosine.json")}
OPTIONS = CosineOptions(num_train=6, interval=(0.0, 2.0), half_width=2.0, num_curve=5, num_truth=7, seed=1)
REFLECTION = Augmentation(group="reflection", mode="full")


def test_the_reflection_of_a_line():
    group = group_from_name("reflection")
    assert (group.order, group.dimension, group.num_rotations) == (2, 1, 1)
    np.testing.assert_array_equal(group.matrices.ravel(), [1, -1])
    np.testing.assert_array_equal(group.product, [[0, 1], [1, 0]])
    assert not group.angles.any()


def test_vectors_of_a_line_move_and_other_groups_are_refused():
    action = training_action(REFLECTION, 0, 1)
    np.testing.assert_array_equal(VectorAction(action).orbit(jnp.array([[1.0, 2.0]]))[1], [[-1.0, -2.0]])
    np.testing.assert_array_equal(matrices(Augmentation(group="C1", mode="full"), 0, 1), [[[1.0]]])
    for group in ("C4", "tetrahedral", "SO3"):
        with pytest.raises(ConfigError, match="points of a line; use reflection"):
            training_action(Augmentation(group=group, mode="random"), 0, 1)


def test_targets_are_the_cosine_on_even_grids():
    arrays = {name: array.values for name, array in prepare(Path("unused"), OPTIONS).items()}
    np.testing.assert_array_equal(arrays["curve/inputs"].ravel(), [-2, -1, 0, 1, 2])
    np.testing.assert_allclose(arrays["truth/targets"], arrays["truth/targets"][::-1])
    np.testing.assert_allclose(arrays["train/targets"], np.cos(arrays["train/inputs"])[:, 0], atol=1e-7)
    assert arrays["train/inputs"].min() >= 0


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("augmented", "even"), [(True, True), (False, False)])
def test_a_network_and_its_mirror_image_stay_so_under_augmentation(augmented: bool, even: bool):
    """Mirrored initial weights are as likely as these, so that what holds for such a pair holds for the ensemble."""
    x = np.random.default_rng(0).uniform(0, 3, (7, 1, 1))
    augmentation = REFLECTION if augmented else Augmentation(group="C1", mode="full")
    action = training_action(augmentation, 0, 1)
    data = array_data(x, np.cos(x)[:, 0], action, TrivialAction(action.order), "full")
    module = build(MlpModel(family="mlp", width=6, depth=2, num_outputs=1, bias_std=0.5, activation="tanh"))
    optimiser = make_optimiser("sgd", 0.2)
    first = module.init(jax.random.key(0), data.example())
    mirrored = jax.tree_util.tree_map_with_path(
        lambda path, leaf: -leaf if "Dense_0" in str(path) and leaf.shape == (1, 6) else leaf, first
    )
    step = make_step(network_gradient(module, "mse"), optimiser)
    states = [MemberState(start, optimiser.init(start)) for start in (first, mirrored)]
    grid = jnp.linspace(-3, 3, 9)[:, None, None]
    for index in range(20):
        states = [step(state, (), None, jax.random.key(index), data)[0] for state in states]
        one, two = (np.asarray(module.apply(state.parameters, grid))[:, 0] for state in states)
    assert np.abs(one - one[::-1]).max() > 1e-2
    assert (np.abs(one - two[::-1]).max() < 1e-12) == even


def test_one_block_from_data_to_claims(tmp_path: Path):
    experiment = load_experiment(CONFIG / "experiments", "toy_cosine", "smoke")
    assert all(load_experiment(CONFIG / "experiments", "toy_cosine", scale) == experiment for scale in SCALES)
    arrays = prepare(Path("unused"), OPTIONS)
    storage.write(tmp_path / "data.h5", stage="prepare", attributes={}, arrays=arrays)
    paths = {"cosine": tmp_path / "data.h5"}
    blocks = {}
    for arm in ("mlp", "mlp_plain"):
        train, evaluate = experiment.stage("train", arm), experiment.stage("evaluate", arm)
        assert isinstance(train, TrainStage) and isinstance(evaluate, EvaluateStage)
        few = {"num_epochs": 3, "checkpoints": (0, 1, 2, 3)}
        train = train.model_copy(update={"train": train.train.model_copy(update=few)})
        settings = {"output_epochs": (0, 1, 2, 3), "ensemble_sizes": (4,)}
        evaluate = evaluate.model_copy(update={"evaluate": evaluate.evaluate.model_copy(update=settings)})
        members = tuple(range(4))
        trained = train_block(train, members, training_data(train, paths))
        block = (trained.parameters, members, trained.epochs)
        blocks[arm] = [tmp_path / f"{arm}.h5"]
        found = evaluate_block(evaluate, block, orbit_sets(evaluate, paths))
        storage.write(blocks[arm][0], stage="evaluate", attributes={}, arrays=found)
    summary = experiment.stage("summary").model_copy(update={"num_members": 4, "panels": (0, 3)})
    tables = KINDS["curve_symmetry"].summary()(summary, blocks, {})
    curves = tables["curves"]
    assert sorted(set(curves["epoch"])) == [0, 1, 2, 3] and sorted(set(tables["asymmetry"]["epoch"])) == [0, 3]
    for _, rows in curves.groupby(["arm", "epoch", "member"]):
        np.testing.assert_allclose(rows["mirrored"], rows["value"].to_numpy()[::-1], atol=1e-6)
    for _, rows in curves.groupby(["arm", "epoch", "x"]):
        mean = rows.loc[rows["member"] == MEAN, "value"].item()
        assert mean == pytest.approx(rows.loc[rows["member"] != MEAN, "value"].mean(), abs=1e-12)
    names = set(tables["quantities"]["name"])
    wanted = {claim.quantity for claim in read_claims(CONFIG / "claims.yaml") if claim.experiment == "toy_cosine"}
    assert {name for name in wanted if "*" not in name} <= names and "kept_asymmetry/mlp/3" in names


def test_kept_asymmetry_is_unbiased_and_tells_an_uneven_ensemble():
    generator = np.random.default_rng(2)
    noise, shared = generator.normal(size=(4000, 5, 8)), np.full(8, 1.0)
    assert np.mean([kept_asymmetry(part) for part in noise]) == pytest.approx(0, abs=0.01)
    # As large as the members' own: half of their squares.
    assert np.mean([kept_asymmetry(part) for part in noise + shared]) == pytest.approx(0.5, abs=0.03)
    assert kept_asymmetry(np.tile(shared, (5, 1))) == pytest.approx(1)


def test_the_lines_are_those_of_the_data():
    drawing = draw(ENTRY, all_inputs(), REFERENCES)
    assert isinstance(drawing, Drawing)
    curves = curve_tables()["curves"]
    shown = [axes for axes in drawing.figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == [
        "initialisation", "after 2\u2009000 steps", "after 2\u2009000 steps, left half mirrored"
    ]  # fmt: skip
    for axes, epoch in zip(shown, (0, 2000, 2000), strict=True):
        rows = curves[curves["epoch"] == epoch]
        lines = [line for line in axes.lines if line.get_color() == style.BLUE]
        for member, line in enumerate(lines):
            np.testing.assert_allclose(line.get_ydata(), rows.loc[rows["member"] == member, "value"])
        assert len(lines) == 4
        (mean,) = (line for line in axes.lines if line.get_color() == style.RED)
        np.testing.assert_allclose(mean.get_ydata(), rows.loc[rows["member"] == MEAN, "value"])
    (half,) = (line for line in shown[-1].lines if line.get_color() == style.ORANGE)
    left = curves[(curves["epoch"] == 2000) & (curves["member"] == MEAN) & (curves["x"] <= 0)]
    np.testing.assert_allclose(half.get_xdata(), -left["x"][::-1], atol=1e-12)
    np.testing.assert_allclose(half.get_ydata(), left["value"][::-1])
    (grey,) = (line for line in shown[1].lines if line.get_markeredgecolor() == style.PUBLISHED_COLOR)
    assert list(grey.get_ydata()) == list(REFERENCES["toy_cosine"].series[0].y)


def test_the_animation_has_a_frame_for_every_checkpoint_and_stays_at_panels(tmp_path: Path):
    animation = animate(ENTRY, all_inputs())
    assert list(animation.frames) == [0, 1, 2000] and animation.lasting == {0, 2000}
    save_animation(animation, tmp_path / "toy.gif")
    save_animation(animate(ENTRY, all_inputs()), tmp_path / "again.gif")
    assert (tmp_path / "toy.gif").read_bytes() == (tmp_path / "again.gif").read_bytes()
    with Image.open(tmp_path / "toy.gif") as image:
        assert image.n_frames == 3
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(ConfigError, match="do not move; those that do: learned_curves"):
        animate(read_catalogue(CONFIG / "figures.yaml")["ood_samples"], all_inputs())
