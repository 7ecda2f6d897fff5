"""Exercises of notebook 00: guessing, counting a small area, extrapolating; and its drawn pictures."""

from __future__ import annotations

from inspect import getsource

import numpy as np

from crowdcount.course.exercise import Exercise, examine_function
from crowdcount.drawn.crowds import Scene, draw_crowd
from crowdcount.drawn.people import HEAD_HEIGHT

# The numbers stand here and not in the notebook, where they would give the answer away.
_DRAWN = ({"people": 87, "scene": "hall", "seed": 3}, {"people": 640, "scene": "square", "seed": 21})


def scenes() -> list[Scene]:
    """The two drawn crowds of notebook 00, 640x480 pixels each."""
    return [draw_crowd(**options, size=(480, 640)) for options in _DRAWN]


def ground_per_pixel(scene: Scene) -> np.ndarray:
    """Square meters of ground that each pixel of a drawn crowd shows.

    A pixel at p pixels per meter is 1 / p meters wide. Seen at an angle it is f / (h p^2) meters deep, with
    f the focal length and h the height of the camera above the heads: derive the distance by the row.

    Args:
        scene: a drawn crowd on flat ground.

    Returns:
        float64 (height, width); 0 where nobody can stand.
    """
    scale = scene.perspective.astype(np.float64)
    stands = scale > 0
    height = scene.camera_height - HEAD_HEIGHT
    return np.where(stands, scene.focal / height / np.where(stands, scale, 1.0) ** 3, 0.0)


def extrapolate(people, area, whole):
    """People on the whole area, from those on a part of it."""
    return people * whole / area


def mean_error(estimates, truth):
    """Mean size of the errors, as a share of the truth."""
    return np.mean(np.abs(np.asarray(estimates) - truth)) / truth


def from_samples(people, areas, whole):
    """People on the whole area, from those on several parts of it."""
    return np.sum(people) / np.sum(areas) * whole


def stewards(people, each, least):
    """Stewards for each room: one for every `each` people or part of them, but `least` in any case."""
    return np.maximum(least, np.ceil(np.asarray(people) / each))


_RNG = np.random.default_rng(0)

EXERCISES = [
    Exercise(
        name="00.extrapolate",
        answer="extrapolate",
        hint="How many people stand on one unit of area? And on `whole` of them?",
        more=(
            "Divide by the area to get the people on one unit of it; multiply by the whole. Check by "
            "hand: 12 people on 2 of 48 units are 6 a unit, so 288."
        ),
        solution=getsource(extrapolate),
        praise="the oldest method of crowd counting, in one line. It believes that the crowd is equally "
        "dense "
        "everywhere.",
        examine=examine_function(
            extrapolate,
            [
                (12, 2.0, 48.0),
                (7, 2.0, 5.0),
                (7, 1.0, 1.0),
                (np.array([3.0, 8.0]), np.array([2.0, 4.0]), 48.0),
                (int(_RNG.integers(3, 90)), 3.5, float(_RNG.uniform(20, 90))),
            ],
            [
                (
                    lambda people, area, whole: people * area / whole,
                    "the fraction is upside down: the whole is larger than the area, so the answer must be "
                    "larger than the people counted.",
                ),
                (
                    lambda people, area, whole: people // area * whole,
                    "// cuts the fraction off: 7 people on 2 units are 3.5 a unit, not 3. Use /; an estimate may be a "
                    "fraction.",
                ),
                (
                    lambda people, area, whole: people * whole // area,
                    "// cuts the fraction off. An estimate may be a fraction: 17.5 people is a fine estimate. Use /.",
                ),
                (
                    lambda people, area, whole: people * whole,
                    "this takes the people counted as those on one unit of area. Divide by the area that you counted.",
                ),
                (
                    lambda people, area, whole: people / area,
                    "this is the density, people per unit of area. How many are on the whole?",
                ),
                (
                    lambda people, area, whole: people * (whole - area) / area,
                    "this is the crowd outside the counted area. Those inside belong to it too.",
                ),
            ],
        ),
    ),
    Exercise(
        name="00.error",
        answer="mean_error",
        hint=(
            "An error of 20 too many and one of 20 too few must not cancel. What do you do to a "
            "number to lose its sign?"
        ),
        more=(
            "np.abs(estimates - truth) holds the size of each error. Take the mean of these, then divide by the truth."
        ),
        solution=getsource(mean_error),
        praise="one number for how wrong an estimate is, whatever the size of the crowd.",
        examine=examine_function(
            mean_error,
            [
                (np.array([80.0, 120.0]), 100),
                (np.array([50.0, 70.0, 400.0]), 200),
                (_RNG.uniform(10, 900, 6), int(_RNG.integers(100, 500))),
            ],
            [
                (
                    lambda estimates, truth: np.mean(estimates - truth) / truth,
                    "too high and too low cancel here: 80 and 120 for a truth of 100 would be without any "
                    "error. "
                    "Take the size of each error first.",
                ),
                (
                    lambda estimates, truth: np.abs(np.mean(estimates) - truth) / truth,
                    "this is the error of the mean. Wanted is the mean of the errors: first the size of "
                    "each, "
                    "then the mean.",
                ),
                (
                    lambda estimates, truth: np.mean(np.abs(estimates - truth)),
                    "this is the error in people. As a share of the truth it can be compared between crowds.",
                ),
                (
                    lambda estimates, truth: 100 * np.mean(np.abs(estimates - truth)) / truth,
                    "this is in percent. A share runs from 0 to 1: 20 % is 0.2.",
                ),
                (
                    lambda estimates, truth: np.mean(np.abs(estimates - truth) / estimates),
                    "the errors are divided by the estimates. Divide by the truth: it is the same for all.",
                ),
                (
                    lambda estimates, truth: np.sqrt(np.mean((estimates - truth) ** 2)) / truth,
                    "this is the root of the mean square, which lets large errors weigh more. Here the plain "
                    "mean of their sizes is wanted.",
                ),
            ],
        ),
    ),
    Exercise(
        name="00.samples",
        answer="from_samples",
        hint="Put the counted areas together to one: how many people on how much ground?",
        more=(
            "np.sum(people) stand on np.sum(areas) units. From here on it is exercise 1. (The mean "
            "of the densities would let a tiny area weigh as much as a large one.)"
        ),
        solution=getsource(from_samples),
        praise="a large sample counts more than a small one, as it should.",
        examine=examine_function(
            from_samples,
            [
                (np.array([4.0, 10.0]), np.array([1.0, 5.0]), 60.0),
                (np.array([3.0, 0.0, 8.0]), np.array([2.0, 4.0, 2.5]), 40.0),
                (_RNG.integers(0, 60, 5).astype(float), _RNG.uniform(1, 9, 5), 200.0),
            ],
            [
                (
                    lambda people, areas, whole: np.mean(people / areas) * whole,
                    "this is the mean of the densities: a small area weighs as much as a large one. Add up "
                    "the "
                    "people, add up the areas, then divide.",
                ),
                (
                    lambda people, areas, whole: np.sum(people / areas) * whole,
                    "each area gives an estimate of the whole, and you have added these up. The crowd is "
                    "there "
                    "only once.",
                ),
                (
                    lambda people, areas, whole: np.mean(people) / np.sum(areas) * whole,
                    "the areas are added up, but of the people the mean is taken. Add up both.",
                ),
                (
                    lambda people, areas, whole: np.sum(people) * whole / len(areas),
                    "this divides by the number of areas. Divide by how large they are together.",
                ),
                (
                    lambda people, areas, whole: np.sum(people) / np.sum(areas),
                    "this is the density, people per unit of area. How many are on the whole?",
                ),
            ],
        ),
    ),
    Exercise(
        name="00.stewards",
        answer="stewards",
        hint=(
            "51 people at 50 each need two stewards: which way is rounded? And what may the result never fall below?"
        ),
        more="np.ceil rounds up; np.maximum takes the larger of two numbers, element by element.",
        solution=getsource(stewards),
        praise="from a count to a decision: this is what the number is for.",
        examine=examine_function(
            stewards,
            [
                (np.array([120.0, 55.0, 9.0, 100.0]), 50, 2),
                (np.array([0.0, 251.0, 1000.0]), 250, 1),
                (_RNG.integers(0, 2000, 6).astype(float), 80, 3),
            ],
            [
                (
                    lambda people, each, least: np.maximum(least, np.floor(people / each)),
                    "rounded down: the last few people of a room have nobody. Round up.",
                ),
                (
                    lambda people, each, least: np.maximum(least, np.round(people / each)),
                    "rounded to the nearest: 55 people at 50 a steward need two. Round up.",
                ),
                (
                    lambda people, each, least: np.maximum(least, np.floor(people / each) + 1),
                    "one too many where it divides evenly: 100 people at 50 a steward need two.",
                ),
                (
                    lambda people, each, least: np.maximum(least, people / each),
                    "not rounded: 2.4 stewards are three people. Round up.",
                ),
                (
                    lambda people, each, least: np.ceil(people / each),
                    "an empty room has a door, too: no room has fewer than `least`.",
                ),
                (
                    lambda people, each, least: np.minimum(least, np.ceil(people / each)),
                    "this takes the smaller of the two. `least` is the lowest number allowed, so take the larger.",
                ),
                (
                    lambda people, each, least: least + np.ceil(people / each),
                    "`least` is added on top. It is a floor: take the larger of the two.",
                ),
            ],
        ),
    ),
]
