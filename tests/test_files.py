"""How files are written: whole, and on the disk before they have their name."""

import errno
import io
import os

import pytest

from crowdcount.counting.tables import GrowingTable
from crowdcount.files import append_whole, atomic_path, replace_whole


@pytest.fixture
def disk(monkeypatch):
    """What the system is told to do, in order: ("flush", file or folder) and ("rename", target)."""
    calls, flush, rename = [], os.fsync, os.replace
    names = {}

    def fsync(number):
        flush(number)
        calls.append(("flush", names[number]))

    def replace(source, target):
        rename(source, target)
        calls.append(("rename", os.path.basename(target)))

    def opened(path, *arguments, **options):
        number = open_file(path, *arguments, **options)
        names[number] = os.path.basename(path)
        return number

    open_file = os.open
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return calls


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, disk):
    with atomic_path(tmp_path / "out.csv") as temporary:
        temporary.write_text("1")
        assert disk == []
    assert disk == [("flush", temporary.name), ("rename", "out.csv"), ("flush", tmp_path.name)]


def test_all_files_of_a_folder_are(tmp_path, disk):
    folder = tmp_path / "half"
    (folder / "variables").mkdir(parents=True)
    for name in ("a.pb", "variables/b.index"):
        (folder / name).write_text(name)
    replace_whole(folder, tmp_path / "whole")
    assert sorted(disk[:2]) == [("flush", "a.pb"), ("flush", "b.index")]
    assert disk[2:] == [("rename", "whole"), ("flush", tmp_path.name)]


def test_what_does_not_reach_the_disk_replaces_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "out.csv").write_text("before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), atomic_path(tmp_path / "out.csv") as temporary:
        temporary.write_text("half")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "before"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_tell_is_written_to(tmp_path, monkeypatch, number):
    def unable(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", unable)
    with atomic_path(tmp_path / "out.csv") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "out.csv").read_text() == "whole"


def test_rows_do_not_wait_for_the_disk(tmp_path, disk):
    """A cut-off row is known when a table is gone on with; a wait for each would slow small pictures down."""
    table = GrowingTable(tmp_path / "out.csv", ["picture"])
    for number in range(5):
        table.add([{"picture": number}])
    table.finish()
    assert disk == [("flush", disk[0][1]), ("rename", "out.csv"), ("flush", tmp_path.name)]


def test_what_a_full_disk_takes_of_a_row_is_taken_back(tmp_path):
    class Filling(io.FileIO):
        def write(self, data):
            if len(data) < 6:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data[:4])

    path = tmp_path / "out.csv"
    path.write_text("whole\n")
    with Filling(path, "ab") as file:
        with pytest.raises(OSError, match="No space left"):
            append_whole(file, b"a row\n", path)
        assert path.read_text() == "whole\n"
