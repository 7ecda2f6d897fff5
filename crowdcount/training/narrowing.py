"""First weights of a small network from a large one: layer by layer, fitted to a choice of its filters.

Random weights have to learn from a thousand pictures what ImageNet and a long training have put into the large network.
Here each layer of the small one takes the large one's most useful filters, and its kernel is the least-squares solution
that gives what those give, from what the small network's own layer before gives: what was lost before is made up for as
far as a linear map can. Seconds of work, nothing but products and one equation a layer.

Reference:
    He, Zhang and Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017, section 3 (arXiv
    1707.06168), with the channels chosen by what they give and how it is used, in one go.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from crowdcount.data.annotations import Sample
from crowdcount.errors import TrainingError
from crowdcount.training.pipeline import RandomCrops

_CROPS, _SIDE = 24, 192  # seen at most: 0.9 megapixels, half a gigabyte of the widest features
_PLACES = 12_000  # at which a layer is fitted, at most
_RIDGE = 1e-3  # of the mean square of what a layer is fitted on


def narrow(student: keras.Model, teacher: keras.Model, samples: Sequence[Sample], seed: int = 0) -> None:
    """Give a CSRNet first weights that make of crops about what a wider CSRNet makes of them, in place.

    Args:
        student: any width and design.
        teacher: with the same layers, trained.
        samples: pictures of the kind that they see.
        seed: of the crops and of the places at which layers are fitted.

    Raises:
        TrainingError: where the teacher has other layers, or fewer filters than the student.
        PictureError: if a picture cannot be read.

    Example:
        >>> from crowdcount.network.csrnet import CSRNet
        >>> crowd = [Sample("a", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), [])]
        >>> narrow(CSRNet(width=1 / 64), CSRNet(width=1 / 32), crowd)
    """
    pairs = list(zip(student.layers, teacher.layers))
    if [layer.name for layer in student.layers[1:]] != [layer.name for layer in teacher.layers[1:]]:
        raise TrainingError(
            f"The teacher {teacher.name!r} has other layers than CSRNet: it can teach, but its weights are no start. "
            "Give another one (init=, --init)."
        )
    fewer = [layer.name for mine, layer in pairs if getattr(layer, "filters", 0) < getattr(mine, "filters", 0)]
    if fewer:
        raise TrainingError(
            f"The teacher {teacher.name!r} is narrower than the network that learns from it: it can teach, but has too "
            f"few filters for a start ({fewer[0]}). Train a narrower network (width=, --width) or begin otherwise "
            "(init=, --init)."
        )
    rng = np.random.default_rng([seed, 2])
    seen = known = ops.convert_to_tensor(_crops(samples, rng))
    following = [layer for _, layer in pairs if layer.weights][1:]
    for mine, layer in pairs[1:]:
        if not layer.weights:
            seen, known = (_float32(each(features)) for each, features in ((mine, seen), (layer, known)))
            continue
        linear = _linear(layer, known)
        known, wanted = layer.activation(linear), ops.convert_to_numpy(linear)
        if following:  # the last layer has one filter
            wanted = wanted[..., _useful(ops.convert_to_numpy(known), following.pop(0).kernel, mine.filters)]
        mine.set_weights(_fitted(mine, ops.convert_to_numpy(seen), wanted, rng))
        seen = mine.activation(_linear(mine, seen))


def _crops(samples: Sequence[Sample], rng: np.random.Generator) -> np.ndarray:
    """float32 (up to 24, 192, 192, 3): a crop of each of so many pictures."""
    crops = RandomCrops(_SIDE)
    seen = []
    for number in rng.permutation(len(samples))[:_CROPS]:
        picture = samples[int(number)].read()
        height, width = picture.shape[:2]
        place = crops.place(int(number), height, width, (int(rng.integers(2**31)),), 0)
        seen.append(place.cut_picture(picture))
    return np.stack(seen).astype(np.float32)


def _float32(features):
    return ops.cast(features, "float32")  # of a student that computes in bfloat16, too


def _linear(layer: keras.layers.Conv2D, features):
    """What a convolution gives before its activation, in float32."""
    kernel, bias = (ops.stop_gradient(_float32(each)) for each in (layer.kernel, layer.bias))
    return ops.conv(features, kernel, padding="same", dilation_rate=layer.dilation_rate) + bias


def _useful(features: np.ndarray, used, number: int) -> np.ndarray:
    """The channels that move most of what the next layer sees: their spread times the weight that it gives them."""
    weight = np.sqrt(np.square(ops.convert_to_numpy(used)).sum(axis=(0, 1, 3)))
    return np.sort(np.argsort(-features.std(axis=(0, 1, 2)) * weight)[:number])


def _fitted(
    layer: keras.layers.Conv2D, seen: np.ndarray, wanted: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """Kernel and bias with which a convolution of `seen` (B, h, w, c) comes nearest to `wanted` (B, h, w, filters)."""
    batch, height, width, channels = seen.shape
    size, rate = layer.kernel_size[0], layer.dilation_rate[0]
    reach = rate * (size // 2)
    padded = np.pad(seen, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    places = rng.choice(batch * height * width, min(_PLACES, batch * height * width), replace=False)
    picture, row, column = np.unravel_index(places, (batch, height, width))
    patches = np.concatenate(
        [padded[picture, row + rate * y, column + rate * x] for y in range(size) for x in range(size)], axis=1
    )
    targets = wanted[picture, row, column]
    middle, mean = patches.mean(axis=0), targets.mean(axis=0)
    patches, targets = patches - middle, targets - mean
    square = patches.T @ patches
    ridge = _RIDGE * max(float(np.trace(square)) / len(square), 1e-12)
    flat = np.linalg.solve(square + ridge * np.eye(len(square), dtype=square.dtype), patches.T @ targets)
    return [flat.reshape(size, size, channels, -1), mean - middle @ flat]
