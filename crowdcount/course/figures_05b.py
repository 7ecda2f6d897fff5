"""Figures of notebook 05b, training well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crowdcount.course import look


def sets(pictures: np.ndarray, masks: Mapping[str, np.ndarray], each: int = 10) -> None:
    """A row of patches for each set: name -> mask (n,) over pictures uint8 (n, s, s, 3)."""
    _, axes = look.canvas(len(masks), each, height=0.95)
    for row, (name, mask) in zip(axes, masks.items(), strict=True):
        for ax, picture in zip(row, pictures[mask], strict=False):
            look.picture(ax, picture)
        row[0].set_title(f"{name}: {mask.sum()} patches", loc="left", fontsize=9.5)


def leak(many: Sequence[int], right: Mapping[str, np.ndarray], errors: Mapping[str, np.ndarray]) -> None:
    """Accuracy on three kinds of patches against the crowds learned from, with bars of two standard errors."""
    _, ax = look.canvas(height=3)
    for (name, values), style in zip(right.items(), ("o-", "s--", "^-."), strict=True):
        ax.errorbar(many, 100 * values, 200 * errors[name], fmt=style, capsize=4, label=name)
    ax.set_xticks(list(many))
    look.label(ax, "crowds learned from", "accuracy (%)", "The same network, three ways to test it")
    ax.legend(title="tested on", loc="center left", bbox_to_anchor=(1, 0.5))


def chance(shares: np.ndarray, truth: float, error: float) -> None:
    """Accuracies that small validation sets measured (runs,), the true one, and one standard error about it."""
    _, ax = look.canvas(height=2.6)
    values, counts = np.unique(np.round(100 * shares, 6), return_counts=True)
    ax.bar(values, counts, width=0.8 * np.diff(values).min(), color=look.SKY, label="one validation set each")
    ax.axvline(100 * truth, color=look.BLACK, label="the true accuracy")
    ax.axvspan(
        100 * (truth - error), 100 * (truth + error), color=look.ORANGE, alpha=0.25, label="± one standard error"
    )
    look.label(ax, "accuracy measured (%)", "sets", "One network, many small validation sets")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def pairs(true: np.ndarray, first: np.ndarray, second: np.ndarray, names: Sequence[str]) -> None:
    """Counts of two networks against the truth, and how much nearer the second is, picture by picture."""
    _, (left, right) = look.canvas(1, 2, height=3.2)
    for values, color, marker, name in zip((first, second), look.CYCLE, "os", names, strict=False):
        left.loglog(true, values, marker, color=color, label=name, alpha=0.8)
    ends = [true.min(), true.max()]
    left.loglog(ends, ends, color=look.BLACK, linewidth=1, label="right")
    look.label(left, "people, by hand", "people, counted", "29 pictures, two networks")
    left.legend()
    gain = np.sort(np.abs(first - true) - np.abs(second - true))
    right.bar(range(len(gain)), gain, color=np.where(gain > 0, look.BLUE, look.VERMILLION))
    look.label(right, "picture, sorted", "people nearer (+) or farther (−)", f"Gain of {names[1]}")


def curves(lines: Mapping[str, np.ndarray], x: str, title: str, marks: Mapping[str, int] | None = None) -> None:
    """Costs against steps or epochs: name -> values; `marks` draws a line at some of them."""
    _, ax = look.canvas(height=3)
    for (name, values), style in zip(lines.items(), ("-", "--", "-.", ":"), strict=False):
        ax.plot(values, style, label=name)
    for color, (name, place) in zip((look.BLACK, look.GRAY), (marks or {}).items(), strict=False):
        ax.axvline(place, color=color, linewidth=1.3, linestyle=":", label=name)
    look.label(ax, x, "cost (nats)", title)
    ax.legend()


def variants(picture: np.ndarray, changed: Sequence[np.ndarray]) -> None:
    """A patch, and what augmentation makes of it."""
    _, axes = look.canvas(1, 1 + len(changed), height=1.3)
    for number, (ax, each) in enumerate(zip(axes, [picture, *changed], strict=True)):
        look.picture(ax, np.clip(each, 0, 1), "as it is" if number == 0 else f"variant {number}")


def recipes(scores: Mapping[str, np.ndarray], error: Mapping[str, float]) -> None:
    """Validation accuracy of ways to train: a dot a start, and the gain over the first with two standard errors."""
    _, (left, right) = look.canvas(1, 2, height=3)
    first = next(iter(scores.values())).mean()
    for place, (name, values) in enumerate(scores.items()):
        left.plot([place] * len(values), 100 * values, "o", color=look.SKY, markeredgecolor="black", markersize=5)
        left.plot([place - 0.25, place + 0.25], [100 * values.mean()] * 2, color=look.BLACK)
        right.errorbar(place, 100 * (values.mean() - first), 200 * error[name], fmt="s", color=look.BLUE, capsize=4)
    for ax in (left, right):
        ax.set_xticks(range(len(scores)), [name.replace(" ", "\n") for name in scores], fontsize=8.5)
    right.axhline(0, color=look.GRAY, linewidth=1)
    look.label(left, "", "accuracy (%)", "Validation set: a dot for each start")
    look.label(right, "", "percentage points", "Gain over the first, ± 2 standard errors")
