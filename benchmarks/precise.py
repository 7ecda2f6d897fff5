"""What a mean over several looks at a picture gains: its mirror image, and a little smaller and larger.

    python benchmarks/precise.py --root FOLDER [--dataset shanghaitech_a+shanghaitech_b] [--model general]

Counts every validation picture plainly, mirrored, and at 0.84 and 1.19 of its size, and prints for each data set the
MAE and the mean log ratio of the plain count and of the means, each with its difference from the plain count and the
95 % interval. A look at another size costs its pixels: 0.7 and 1.4 of a plain count.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from tqdm import tqdm

from crowdcount.counting.scale import look
from crowdcount.data.annotations import load_dataset
from crowdcount.measuring import metrics
from crowdcount.measuring.uncertainty import compare_counts
from crowdcount.network.loading import load_network
from crowdcount.network.prediction import predict_density

SCALES = (0.84, 1.19)
# What a count is the mean of -> columns of the table of looks, and times a plain count.
MEANS = {"mirrored too": ((0, 1), 2.0), "smaller and larger": ((0, 2, 3), 3.1), "all four": ((0, 1, 2, 3), 4.1)}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True)
    parser.add_argument("--dataset", default="shanghaitech_a+shanghaitech_b")
    parser.add_argument("--model", default="general")
    arguments = parser.parse_args(argv)
    network, _ = load_network(arguments.model)
    print(
        "| pictures | count | cost | MAE | log ratio | its difference | its difference |\n|---|---|---|---|---|---|---|"
    )
    for name in arguments.dataset.split("+"):
        samples = load_dataset(name, arguments.root, "val")
        true = np.array([sample.count for sample in samples], float)
        seen = np.array([looks(network, sample.read()) for sample in tqdm(samples, name)])
        plain = seen[:, 0]
        print(line(f"{name}, {len(samples)}", "plain", 1.0, true, plain), flush=True)
        for kind, (columns, cost) in MEANS.items():
            mean = seen[:, columns].mean(axis=1)
            differences = compare_counts(true, mean, plain).differences
            chosen = (differences["mae"], differences["log_ratio"])
            told = [f"{d.value:+.3g} ({d.low:+.3g} to {d.high:+.3g})" for d in chosen]
            print(f"{line('', kind, cost, true, mean)} {' | '.join(told)} |", flush=True)


def looks(network, picture: np.ndarray) -> list[float]:
    """Counts of a picture: plain, of its mirror image, and at each of `SCALES`."""
    mirrored = predict_density(network, np.ascontiguousarray(picture[:, ::-1]))
    plain = predict_density(network, picture)
    return [float(plain.sum()), float(mirrored.sum()), *(look(network, picture, scale).people for scale in SCALES)]


def line(pictures: str, kind: str, cost: float, true: np.ndarray, counted: np.ndarray) -> str:
    error, ratio = metrics.mae(true, counted), metrics.log_ratio(true, counted)
    return f"| {pictures} | {kind} | {cost:g} | {error:.2f} | {ratio:.4f} |"


if __name__ == "__main__":
    main()
