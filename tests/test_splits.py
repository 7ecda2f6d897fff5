"""The lists of validation pictures: derived again from the real data by the rules that their headers tell."""

import random

import numpy as np
import pytest

from crowdcount.data.annotations import load_dataset, read_shanghaitech
from crowdcount.data.datasets import DATASETS, SHARED_SCENES
from crowdcount.data.dividing import hashed_split, listed_names
from crowdcount.data.specs import parse_spec
from crowdcount.errors import AnnotationError


def short(samples):
    return {sample.name.rsplit("/", 1)[-1] for sample in samples}


def drawn(samples, runs, seed, key=lambda sample: (sample.count, number(sample))):
    """One of each of so many runs of the samples, sorted."""
    ranked = sorted(samples, key=key)
    generator = random.Random(seed)
    chosen = set()
    for i in range(runs):
        run = ranked[i * len(ranked) // runs : (i + 1) * len(ranked) // runs]
        chosen |= short([run[int(generator.random() * len(run))]])
    return chosen


def number(sample):
    return int(sample.picture.stem.rsplit("_", 1)[-1])


@pytest.fixture(scope="module")
def shanghaitech(shanghaitech_root):
    """The training pictures of both parts, each read once."""
    return {
        part: [sample for sample in read_shanghaitech(shanghaitech_root, part, "all") if "/test/" not in sample.name]
        for part in "AB"
    }


@pytest.fixture
def root(shanghaitech_root):
    """The folder that holds all data sets."""
    root = shanghaitech_root.parent
    for name in ("ucf_cc_50", "nobody", "brt"):
        try:
            DATASETS[name].find(root)
        except AnnotationError as error:
            pytest.skip(str(error))
    return root


def test_the_first_lists_of_shanghaitech(shanghaitech):
    for part, runs, seed, name in (("A", 29, 20180683, "a_val29"), ("B", 40, 20180684, "b_val")):
        left_out = DATASETS["shanghaitech_a"].left_out if part == "A" else ()
        usable = [sample for sample in shanghaitech[part] if not short([sample]) & set(left_out)]
        assert drawn(usable, runs, seed) == listed_names(f"shanghaitech_{name}")


def test_the_longer_list_of_part_a(shanghaitech):
    first = listed_names("shanghaitech_a_val29")
    kept = first | DATASETS["shanghaitech_a"].left_out | set(SHARED_SCENES.values())
    pool = [sample for sample in shanghaitech["A"] if not short([sample]) & kept]
    assert len(pool) == 260
    assert listed_names("shanghaitech_a_val") == first | drawn(pool, 31, 20261128)


def test_the_lists_of_the_other_data_sets(root):
    dense = [sample for sample in load_dataset("ucf_cc_50", root, "all") if not short([sample]) & set(SHARED_SCENES)]
    assert len(dense) == 20 and drawn(dense, 6, 20261128) == listed_names("ucf_cc_50_val")
    empty = load_dataset("nobody", root, "all")
    assert len(empty) == 155 and drawn(empty, 30, 20261128, key=number) == listed_names("nobody_val")


def test_one_scene_is_never_for_training_and_for_validation(shanghaitech):
    validation = listed_names("shanghaitech_a_val") | listed_names("ucf_cc_50_val")
    assert not validation & set(SHARED_SCENES) and not validation & set(SHARED_SCENES.values())


@pytest.mark.parametrize("part", ["A", "B"])
def test_real_splits_are_disjoint_and_without_what_is_left_out(shanghaitech_root, part):
    read = {
        key: short(read_shanghaitech(shanghaitech_root, part, split, everything=everything))
        for key, split, everything in (("train", "train", False), ("val", "val", False), ("back", "train", True))
    }
    left_out = DATASETS[f"shanghaitech_{part.lower()}"].left_out
    assert not read["train"] & read["val"] and not left_out & (read["train"] | read["val"])
    assert read["back"] == read["train"] | left_out
    assert len(read["back"] | read["val"]) == {"A": 300, "B": 400}[part]
    assert read["val"] == listed_names(f"shanghaitech_{part.lower()}_val")


@pytest.mark.parametrize("part", ["A", "B"])
def test_validation_represents_the_training_pictures(shanghaitech_root, part):
    train, val = (
        np.array([sample.count for sample in read_shanghaitech(shanghaitech_root, part, split)])
        for split in ("train", "val")
    )
    assert abs(val.mean() / train.mean() - 1) < 0.1
    assert abs(np.median(val) / np.median(train) - 1) < 0.1


def test_a_joint_training_is_one_specification(root):
    spec = "shanghaitech_a*3+shanghaitech_b*2+ucf_cc_50*4+brt+nobody"
    samples = load_dataset(spec, root, "train")
    assert len(samples) == 234 * 3 + 359 * 2 + 20 * 4 + 122 + 125
    assert len({sample.name for sample in samples}) == 234 + 359 + 20 + 122 + 125
    validation = load_dataset(spec, root, "val")
    assert len(validation) == 60 + 40 + 6 + 22 + 30 and not {s.name for s in samples} & {s.name for s in validation}
    assert all(hashed_split(sample.picture.name) == "val" for sample in validation if sample.name.startswith("BRT/"))
    assert len(load_dataset("shanghaitech_a+shanghaitech_b", root, "val29")) == 29 + 40


def test_the_first_list_is_a_part_of_todays():
    assert listed_names("shanghaitech_a_val29") < listed_names("shanghaitech_a_val")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("brt:1", "not tested in turns"),
        ("ucf_cc_50:6", "choose 1, 2, 3, 4, 5"),
        ("ucf_cc_50:", "choose 1, 2, 3, 4, 5"),
        ("brt*0", "whole number from 1 up"),
        ("brt*", "whole number from 1 up"),
        ("brt*-1", "whole number"),
        ("brt*2*2", "whole number"),
    ],
)
def test_specifications_that_are_none(spec, message):
    with pytest.raises(AnnotationError, match=message):
        parse_spec(spec)
