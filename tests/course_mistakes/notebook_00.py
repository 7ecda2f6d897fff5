"""Wrong answers to the exercises of notebook 00, each with a piece of the message meant for it."""

MISTAKES = {
    "00.extrapolate": [
        ("def extrapolate(people, area, whole):\n    return people / whole * area", "upside down"),
        ("def extrapolate(people, area, whole):\n    return whole * people", "Divide by the area"),
        ("def extrapolate(people, area, whole):\n    return people // area * whole", "cuts the fraction off"),
        ("def extrapolate(people, area, whole):\n    return whole * people // area", "a fine estimate"),
        ("def extrapolate(people, area, whole):\n    return people / area", "this is the density"),
        (
            "def extrapolate(people, area, whole):\n    return people / area * whole - people",
            "outside the counted area",
        ),
    ],
    "00.error": [
        (
            "def mean_error(estimates, truth):\n    return 100 * abs(estimates - truth).mean() / truth",
            "this is in percent",
        ),
        ("def mean_error(estimates, truth):\n    return ((estimates - truth) / truth).mean()", "cancel"),
        (
            "def mean_error(estimates, truth):\n    return abs(estimates.mean() / truth - 1)",
            "error of the mean",
        ),
        (
            "def mean_error(estimates, truth):\n    return abs(truth - estimates).mean()",
            "the error in people",
        ),
        (
            "def mean_error(estimates, truth):\n    return abs(1 - truth / estimates).mean()",
            "divided by the estimates",
        ),
        (
            "def mean_error(estimates, truth):\n    return ((estimates / truth - 1) ** 2).mean() ** 0.5",
            "root of the mean square",
        ),
    ],
    "00.samples": [
        (
            "def from_samples(people, areas, whole):\n    return (people / areas * whole).mean()",
            "mean of the densities",
        ),
        ("def from_samples(people, areas, whole):\n    return (people / areas * whole).sum()", "only once"),
        (
            "def from_samples(people, areas, whole):\n    return people.mean() / areas.sum() * whole",
            "Add up both",
        ),
        (
            "def from_samples(people, areas, whole):\n    return people.mean() * whole",
            "how large they are together",
        ),
        (
            "def from_samples(people, areas, whole):\n    return people.sum() / areas.sum()",
            "this is the density",
        ),
    ],
    "00.stewards": [
        ("def stewards(people, each, least):\n    return np.maximum(least, people / each)", "not rounded"),
        ("def stewards(people, each, least):\n    return np.maximum(people // each, least)", "rounded down"),
        (
            "def stewards(people, each, least):\n    return np.maximum(np.rint(people / each), least)",
            "to the nearest",
        ),
        (
            "def stewards(people, each, least):\n    return np.maximum(people // each + 1, least)",
            "one too many",
        ),
        ("def stewards(people, each, least):\n    return -(-people // each)", "no room has fewer"),
        (
            "def stewards(people, each, least):\n    return np.minimum(np.ceil(people / each), least)",
            "the smaller of the two",
        ),
        ("def stewards(people, each, least):\n    return np.ceil(people / each) + least", "added on top"),
    ],
}
