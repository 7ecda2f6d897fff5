"""Losses against hand-computed values and independent loops, and their gradients."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from crowdcount.errors import TrainingError
from crowdcount.training.losses import BayesianLoss, EuclideanLoss, MultiScaleLoss, PoissonLoss

MAP_LOSSES = [EuclideanLoss(), PoissonLoss(), MultiScaleLoss()]
LOSSES = [*MAP_LOSSES, BayesianLoss(), BayesianLoss(use_background=False)]


def name_of(loss):
    return loss.name


def value_and_gradient(loss, target, predicted):
    """Loss, and its gradient with regard to the predicted map."""
    predicted = tf.constant(predicted, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        value = loss(tf.constant(target, tf.float32), predicted)
    return float(value), tape.gradient(value, predicted).numpy()


def as_map(*rows):
    return np.array(rows, "float32")[None, :, :, None]


def numeric_gradient(function, position, step=1e-6):
    gradient = np.zeros_like(position)
    for index in np.ndindex(position.shape):
        up, down = position.copy(), position.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


# --- the same, computed independently
# -------------------------------------------------------------------------------


def euclidean_by_loop(target, predicted):
    return sum(float(((t - p) ** 2).sum()) for t, p in zip(target, predicted)) / (2 * len(target))


def poisson_by_loop(target, predicted, epsilon=1e-2):
    total = 0.0
    for t, p in zip(target.ravel().tolist(), predicted.ravel().tolist()):
        total += (t + epsilon) * math.log((t + epsilon) / (p + epsilon)) - t + p
    return total / len(target)


def multi_scale_by_loop(target, predicted, scales=(1, 2, 4), count_weight=0.1):
    total = 0.0
    for t, p in zip(target[..., 0], predicted[..., 0]):
        total += count_weight * abs(t.sum() - p.sum())
        for s in scales:
            for i in range(0, t.shape[0], s):
                for j in range(0, t.shape[1], s):
                    total += 0.5 * (t[i : i + s, j : j + s].sum() - p[i : i + s, j : j + s].sum()) ** 2
    return total / len(target)


def bayesian_by_loop(points, predicted, sigma=8.0, background_ratio=0.15, stride=8, use_background=True):
    """Ma et al., cell by cell and head by head, the crops' heads in lists without padding."""
    total = 0.0
    for rows, density in zip(points, predicted[..., 0]):
        heads = [(x, y) for x, y, flag in rows.tolist() if flag == 1]
        if not heads:
            total += abs(float(density.sum()))
            continue
        d = background_ratio * stride * min(density.shape)
        mass = np.zeros(len(heads) + use_background)
        for (i, j), value in np.ndenumerate(density):
            center_x, center_y = (j + 0.5) * stride, (i + 0.5) * stride
            distances = [math.hypot(center_x - x, center_y - y) for x, y in heads]
            if use_background:
                distances.append(d - min(distances))
            exponents = np.array([-(r**2) / (2 * sigma**2) for r in distances])
            share = np.exp(exponents - exponents.max())
            mass += value * share / share.sum()
        total += np.abs(1 - mass[: len(heads)]).sum() + np.abs(mass[len(heads) :]).sum()
    return total / len(points)


def random_points(rng, height, width, counts, padded_to):
    """Head annotations of a batch; the padding holds rubbish, which must not matter."""
    points = rng.uniform(-500, 500, (len(counts), padded_to, 3))
    points[..., 2] = 0
    for row, count in zip(points, counts):
        row[:count] = np.c_[rng.random((count, 2)) * (width, height), np.ones(count)]
    return points.astype("float32")


# --- maps
# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss, by_loop",
    [
        (EuclideanLoss(), euclidean_by_loop),
        (PoissonLoss(), poisson_by_loop),
        (MultiScaleLoss(), multi_scale_by_loop),
        (MultiScaleLoss(scales=(3,), count_weight=2.0), lambda t, p: multi_scale_by_loop(t, p, (3,), 2.0)),
    ],
    ids=["euclidean", "poisson", "multi_scale", "multi_scale_3"],
)
@pytest.mark.parametrize("size", [(8, 8), (5, 7), (1, 1), (3, 10)])
def test_equals_an_independent_loop(rng, loss, by_loop, size):
    target, predicted = rng.random((2, 3, *size, 1)) * 2
    value, gradient = value_and_gradient(loss, target, predicted)
    assert value == pytest.approx(by_loop(target, predicted), rel=1e-4)
    expected = numeric_gradient(lambda p: by_loop(target, p), predicted)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)


def test_euclidean_by_hand():
    target = np.concatenate([as_map([1, 2]), as_map([0, 0])])
    predicted = np.concatenate([as_map([3, 2]), as_map([0, 4])])
    assert float(EuclideanLoss()(target, predicted)) == (2**2 + 4**2) / (2 * 2)


def test_poisson_by_hand():
    # One cell with 3, predicted 1, epsilon 1: 4 log(4 / 2) - 3 + 1
    value = float(PoissonLoss(epsilon=1)(as_map([3]), as_map([1])))
    assert value == pytest.approx(4 * math.log(2) - 2, rel=1e-6)


def test_poisson_that_halves_dense_crops(rng):
    """A crop in which k heads are seen weighs half, one in which none is as before; so do the gradients."""
    predicted = np.concatenate([as_map([60, 40]), as_map([0, 0]), as_map([0, 25])])
    target = rng.random(predicted.shape) * 30
    plain, steps = value_and_gradient(PoissonLoss(reduction="sum"), target, predicted)
    halved, smaller = value_and_gradient(PoissonLoss(halved_at=100, reduction="sum"), target, predicted)
    weights = np.array([1 / 2, 1, 1 / 1.25]).reshape(3, 1, 1, 1)
    np.testing.assert_allclose(smaller, steps * weights, rtol=1e-4)
    each = PoissonLoss(reduction="none")(target, predicted).numpy()
    assert float(halved) == pytest.approx((each * weights.ravel()).sum(), rel=1e-5) != plain


def test_poisson_that_halves_dense_crops_settles_on_the_mean():
    """Of crops that look alike half hold 100 heads, half 300: 200 is right; by true counts it would be 167."""
    target, predicted = np.concatenate([as_map([100]), as_map([300])]), np.concatenate([as_map([200])] * 2)
    _, gradient = value_and_gradient(PoissonLoss(epsilon=1e-6, halved_at=100), target, predicted)
    assert float(gradient.sum()) == pytest.approx(0, abs=1e-4)


def test_poisson_is_never_negative_and_zero_only_where_equal(rng):
    target = rng.random((20, 4, 4, 1)).astype("float32")
    for size in (1e-7, 1e-6, 1e-4, 1e-2, 1):
        predicted = target * (1 + size * rng.uniform(-1, 1, target.shape)).astype("float32")
        each = PoissonLoss(reduction="none")(target, predicted).numpy()
        assert (each >= 0).all()
        if size >= 1e-2:  # smaller differences may round to nothing
            assert (each > 0).all()


def test_poisson_is_convex_in_the_prediction(rng):
    loss = PoissonLoss(reduction="none")
    target, one, other = rng.exponential(size=(3, 50, 2, 2, 1))
    middle = loss(target, (one + other) / 2).numpy()
    assert (middle <= (loss(target, one).numpy() + loss(target, other).numpy()) / 2 + 1e-6).all()


def test_poisson_settles_where_the_sums_agree(rng):
    """Scaling the prediction changes the loss by sum(p - t) in first order: by 0 where the sums agree."""
    target, predicted = rng.exponential(size=(2, 1, 6, 6, 1)) + 0.1
    predicted *= target.sum() / predicted.sum()
    assert abs(target - predicted).max() > 0.5
    _, gradient = value_and_gradient(PoissonLoss(epsilon=1e-6), target, predicted)
    assert float((gradient * predicted).sum()) == pytest.approx(0, abs=1e-3)
    _, gradient = value_and_gradient(EuclideanLoss(), target, predicted)
    assert abs(float((gradient * predicted).sum())) > 1  # the squared error does not


def test_poisson_gradient_at_an_empty_prediction():
    value, gradient = value_and_gradient(PoissonLoss(epsilon=0.01), as_map([0, 2]), as_map([0, 0]))
    assert math.isfinite(value)
    np.testing.assert_allclose(gradient.ravel(), [0, -200], rtol=1e-4)


def test_multi_scale_by_hand_with_a_block_over_the_border():
    # Errors 1, 2, 3 in a row: pairs 3 and (over the border) 3; count error 6 at weight 0.5
    loss = MultiScaleLoss(scales=(1, 2), count_weight=0.5)
    assert float(loss(as_map([1, 2, 3]), as_map([0, 0, 0]))) == (1 + 4 + 9) / 2 + (9 + 9) / 2 + 3


def test_multi_scale_of_one_cell_is_euclidean(rng):
    target, predicted = rng.random((2, 2, 5, 3, 1))
    value = float(MultiScaleLoss(scales=(1,), count_weight=0)(target, predicted))
    assert value == pytest.approx(float(EuclideanLoss()(target, predicted)), rel=1e-6)


# --- points
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"use_background": False}, {"sigma": 3.0, "background_ratio": 0.6, "stride": 4}]
)
@pytest.mark.parametrize("size", [(6, 6), (4, 9), (1, 1)])
def test_bayesian_equals_an_independent_loop(rng, options, size):
    stride = options.get("stride", 8)
    points = random_points(rng, size[0] * stride, size[1] * stride, counts=[3, 0, 7, 1], padded_to=9)
    predicted = rng.random((4, *size, 1))
    value, gradient = value_and_gradient(BayesianLoss(**options), points, predicted)
    assert value == pytest.approx(bayesian_by_loop(points, predicted, **options), rel=1e-4)
    expected = numeric_gradient(lambda p: bayesian_by_loop(points, p, **options), predicted)
    np.testing.assert_allclose(gradient, expected, atol=1e-4)


def test_bayesian_by_hand():
    """A head at the center of the left of two cells; d = 8: the background is 8 away there and 0 at right."""
    head = [[[4.0, 4.0, 1.0]]]
    predicted = as_map([1, 2])
    near = 1 / (1 + math.exp(-64 / 128))  # left: distances 0 and 8
    far = 1 - near  # right: distances 8 and 0
    mass = near + 2 * far
    expected = abs(1 - mass) + (3 - mass)
    loss = BayesianLoss(sigma=8, background_ratio=1.0)
    assert float(loss(np.array(head), predicted)) == pytest.approx(expected, rel=1e-5)
    assert float(BayesianLoss(use_background=False)(np.array(head), predicted)) == pytest.approx(2.0)


def test_bayesian_is_zero_for_heads_far_apart_with_their_mass_on_them():
    points = np.array([[[4.0, 4.0, 1], [124.0, 124.0, 1]]])
    predicted = np.zeros((1, 16, 16, 1))
    predicted[0, 0, 0] = predicted[0, 15, 15] = 1
    assert float(BayesianLoss(background_ratio=1.0)(points, predicted)) == pytest.approx(0, abs=1e-6)
    predicted[0, 8, 8] = 1  # mass in the open belongs to the background
    assert float(BayesianLoss()(points, predicted)) > 0.9


def test_bayesian_stays_exact_where_every_gaussian_underflows(rng):
    """2000 pixels from the only head exp(-d^2 / 128) is 0: the shares must still add up to 1."""
    points = np.array([[[4.0, 4.0, 1]]])
    predicted = np.zeros((1, 1, 250, 1))
    predicted[0, 0, -1] = 5
    assert float(BayesianLoss(use_background=False)(points, predicted)) == pytest.approx(4)
    assert float(BayesianLoss()(points, predicted)) == pytest.approx(1 + 5)


@pytest.mark.parametrize("rubbish", [0.0, 1e30, np.nan, np.inf])
def test_bayesian_ignores_padding(rng, rubbish):
    points = random_points(rng, 32, 32, counts=[2, 4], padded_to=4)
    longer = np.pad(points, [[0, 0], [0, 3], [0, 0]])
    longer[0, 2:, :2] = rubbish
    longer[:, 4:, :2] = rubbish
    predicted = rng.random((2, 4, 4, 1))
    short, short_gradient = value_and_gradient(BayesianLoss(), points, predicted)
    long, long_gradient = value_and_gradient(BayesianLoss(), longer, predicted)
    assert long == pytest.approx(short, rel=1e-6)
    np.testing.assert_allclose(long_gradient, short_gradient, rtol=1e-5)


@pytest.mark.parametrize("use_background", [True, False])
@pytest.mark.parametrize("padding", [0, 1, 5])
def test_bayesian_of_a_crop_without_heads_is_its_sum(rng, use_background, padding):
    predicted = rng.random((2, 3, 4, 1))
    loss = BayesianLoss(use_background=use_background)
    value, gradient = value_and_gradient(loss, np.zeros((2, padding, 3)), predicted)
    assert value == pytest.approx(predicted.sum() / 2, rel=1e-6)
    np.testing.assert_allclose(gradient, 0.5, rtol=1e-6)


def test_bayesian_two_heads_on_one_spot_share_its_mass():
    points = np.array([[[4.0, 4.0, 1], [4.0, 4.0, 1]]])
    assert float(BayesianLoss(use_background=False)(points, as_map([2.0]))) == pytest.approx(0, abs=1e-6)


def test_bayesian_refuses_a_map_as_target():
    with pytest.raises(TrainingError, match=r"\(batch, N, 3\).*received \(1, 2, 2, 1\)"):
        BayesianLoss()(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)))


# --- all
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", MAP_LOSSES, ids=name_of)
@pytest.mark.parametrize("target", [as_map([0, 0], [0, 0]), as_map([0, 1], [3, 0.01])])
def test_zero_error_has_zero_loss_and_zero_gradient(loss, target):
    value, gradient = value_and_gradient(loss, target, target)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("loss", LOSSES, ids=name_of)
def test_blank_prediction_and_huge_prediction_have_finite_gradients(rng, loss):
    shape = (2, 4, 4, 1)
    target = random_points(rng, 32, 32, [3, 0], 5) if isinstance(loss, BayesianLoss) else rng.random(shape)
    for predicted in (np.zeros(shape), np.full(shape, 1e6)):
        value, gradient = value_and_gradient(loss, target, predicted)
        assert math.isfinite(value)
        assert np.isfinite(gradient).all() and gradient.any()


@pytest.mark.parametrize("loss", LOSSES, ids=name_of)
def test_a_batch_is_the_mean_of_its_crops(rng, loss):
    shape = (3, 3, 4, 1)
    target = random_points(rng, 24, 32, [3, 0, 5], 5) if isinstance(loss, BayesianLoss) else rng.random(shape)
    predicted = rng.random(shape)
    each = [float(loss(target[i : i + 1], predicted[i : i + 1])) for i in range(3)]
    assert float(loss(target, predicted)) == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=name_of)
def test_works_in_a_graph_that_does_not_know_the_size(rng, loss):
    bayesian = isinstance(loss, BayesianLoss)
    target_shape = (None, None, 3) if bayesian else (None, None, None, 1)
    compiled = tf.function(
        lambda target, predicted: loss(target, predicted),
        input_signature=[tf.TensorSpec(target_shape), tf.TensorSpec((None, None, None, 1))],
    )
    for height, width in ((3, 5), (6, 4)):
        shape = (2, height, width, 1)
        target = random_points(rng, height * 8, width * 8, [2, 0], 4) if bayesian else rng.random(shape)
        target, predicted = target.astype("float32"), rng.random(shape).astype("float32")
        assert float(compiled(target, predicted)) == pytest.approx(float(loss(target, predicted)), rel=1e-5)


@pytest.mark.parametrize("loss", MAP_LOSSES, ids=name_of)
def test_maps_that_would_broadcast_are_refused(loss):
    with pytest.raises(TrainingError, match=r"received \(2, 2, 2\) and \(2, 2, 2, 1\)"):
        loss(np.zeros((2, 2, 2)), np.zeros((2, 2, 2, 1)))
    with pytest.raises(TrainingError, match="same shape"):
        loss(np.zeros((2, 1, 2, 1)), np.zeros((2, 2, 2, 1)))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: BayesianLoss(sigma=0), "sigma must be greater than 0, received 0"),
        (lambda: BayesianLoss(background_ratio=-0.1), "background_ratio .* received -0.1"),
        (lambda: BayesianLoss(stride=0), "stride .* received 0"),
        (lambda: BayesianLoss(stride=0.5), "stride .* received 0.5"),
        (lambda: PoissonLoss(epsilon=math.nan), "epsilon .* received nan"),
        (lambda: PoissonLoss(halved_at=0), "halved_at .* received 0"),
        (lambda: MultiScaleLoss(scales=()), r"scales .* received \(\)"),
        (lambda: MultiScaleLoss(scales=(1, 2.5)), r"scales .* received \(1, 2.5\)"),
        (lambda: MultiScaleLoss(count_weight=-1), "count_weight .* received -1"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(TrainingError, match=message):
        make()


@pytest.mark.parametrize(
    "loss",
    [
        EuclideanLoss(reduction="sum", name="mine"),
        BayesianLoss(sigma=3.0, background_ratio=0.5, stride=4, use_background=False, name="mine"),
        PoissonLoss(epsilon=0.5, halved_at=50.0, reduction="none"),
        MultiScaleLoss(scales=(1, 3), count_weight=0.7),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_settings_survive_serialization(loss):
    config = keras.saving.serialize_keras_object(loss)
    assert config["registered_name"] == f"crowdcount>{type(loss).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("loss", [PoissonLoss(epsilon=0.5), BayesianLoss(sigma=5.0)], ids=name_of)
def test_a_compiled_model_trains_and_is_saved_and_loaded_with_its_loss(rng, tmp_path, loss):
    picture = keras.Input((None, None, 3))
    density = keras.layers.Conv2D(1, 3, padding="same", activation="softplus")(picture)
    model = keras.Model(picture, density)
    model.compile(keras.optimizers.Adam(0.05), loss)
    pictures = rng.random((4, 6, 6, 3)).astype("float32")
    bayesian = isinstance(loss, BayesianLoss)
    target = random_points(rng, 48, 48, [4, 0, 2, 3], 5) if bayesian else rng.random((4, 6, 6, 1)) / 10
    history = model.fit(pictures, target, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.loss.get_config() == loss.get_config()
    expected = model.evaluate(pictures, target, verbose=0)
    assert again.evaluate(pictures, target, verbose=0) == pytest.approx(expected)
