"""Where the package's own files lie, and how files are written."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from crowdcount.errors import CrowdCountError

if TYPE_CHECKING:
    import h5py

_PACKAGE = Path(__file__).resolve().parent
# Seconds between two tries for a file that another run holds.
_PAUSE = 0.02
# Bytes of a name, on Linux and macOS; Windows counts letters.
_LONGEST_NAME = 255
# What Windows does not take in names, and the names that are devices there, whatever follows behind a dot.
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_DEVICES = re.compile(r"(?i)con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]")
# What moves the cursor, colors a terminal, ends a line or turns its direction.
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
# Windows locks bytes, and nobody else may read them: this one lies behind the holder's line.
_LOCKED_BYTE = 1 << 20


def data_folder(name: str) -> Path:
    """Folder of the files that come with the package: `"weights"` or `"datasets"`.

    In an ordinary install they lie inside the package (`crowdcount/_weights`), in a checkout or an editable install
    beside it (`weights`). `setup.cfg` maps the one to the other.

    Raises:
        FileNotFoundError: if neither exists, which means that the installation is incomplete.
    """
    candidates = (_PACKAGE / f"_{name}", _PACKAGE.parent / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"crowdcount's folder {name!r} is missing: looked for {' and '.join(map(str, candidates))}. "
        "The installation is incomplete: install crowdcount again from a full checkout."
    )


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it onto `path` when the block ends well, remove it when it fails.

    A reader sees the old file or the whole new one, never a half-written one, also after a power cut: the file is on
    the disk before it gets its name. The suffix is kept, because writers choose the format by it. Of a symbolic link
    the target is replaced. To a pipe or a device what was written is copied in the end.

    Raises:
        OSError: if `path` is a disk or a socket, or cannot be written.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "count.txt"
        >>> with atomic_path(target) as temporary:
        ...     _ = temporary.write_text("42")
        >>> target.read_text()
        '42'
    """
    path = Path(path)
    if is_stream(path):
        import shutil
        import tempfile

        # Not beside it: nobody makes files in a folder of devices, and writers may need to go back in theirs.
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / path.name
            yield temporary
            with open(temporary, "rb") as whole, open(path, "wb") as stream:
                shutil.copyfileobj(whole, stream)
        return
    target = target_of(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(portable_name(f".{path.stem}", f"-{os.urandom(4).hex()}{path.suffix}"))
    try:
        yield temporary
        replace_whole(temporary, target)
    finally:
        with suppress(OSError):  # not there, or the disk has gone, which is told already
            temporary.unlink()


@contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """`atomic_path` for a folder, which is there already when the block begins; `path` may be an empty one.

    Raises:
        OSError: if `path` holds something, or cannot be written.
    """
    import shutil

    path = target_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(portable_name(f".{path.name}-{os.urandom(4).hex()}"))
    temporary.mkdir()
    try:
        yield temporary
        if path.is_dir():
            path.rmdir()  # Windows renames onto no folder, not even an empty one
        replace_whole(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_whole(temporary: Path, target: Path) -> None:
    """Give a file, or a folder with its files, its name once all of it is on the disk.

    Without that a file system may bring the name to the disk first: after a power cut there would be an empty file
    under it, and the one before would be lost.

    Raises:
        OSError: if the disk does not take it, as a full one far away tells only now.
    """
    if temporary.is_dir():
        for path in temporary.rglob("*"):
            if path.is_file():
                _to_disk(path)
    else:
        _to_disk(temporary)
    os.replace(temporary, target)
    with suppress(OSError):  # Windows opens no folders, some file systems have no order to keep
        _to_disk(target.parent)


def _to_disk(path: Path) -> None:
    """Wait until what was written to a file or a folder is on its disk, where the file system tells.

    Raises:
        OSError: if it does not get there.
    """
    number = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # Windows takes no file that is only read
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # it cannot tell
            raise
    finally:
        os.close(number)


@contextmanager
def held(path: str | os.PathLike, *, wait: float = 0.0) -> Iterator[None]:
    """Keep other runs, threads and processes from writing this file while the block lasts.

    The lock is the system's, on a hidden file beside `path`, `.NAME.lock`, that says who holds it. The system frees it
    when a process ends, however it ends: nothing stays locked. On a file system without locks nothing is held, and a
    pipe or a device needs none.

    Args:
        path: the file that is to be written; it need not be there yet.
        wait: seconds to wait for another holder to end.

    Raises:
        CrowdCountError: if another one holds it still, and who.
        OSError: if its folder cannot be written.

    Example:
        >>> import tempfile
        >>> table = Path(tempfile.mkdtemp()) / "counts.csv"
        >>> with held(table):  # doctest: +ELLIPSIS
        ...     with held(table):
        ...         pass
        Traceback (most recent call last):
        ...
        crowdcount.errors.CrowdCountError: .../counts.csv is being written by another run (process ...
    """
    if is_stream(path):
        yield
        return
    target = target_of(path)
    made = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.lock")
    until = time.monotonic() + wait
    file = None
    while file is None:
        try:
            file = _locked(beside)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise _in_use(path, beside) from None
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        if os.name == "posix":  # removed while it is locked: nobody can have taken it meanwhile
            with suppress(OSError):  # its disk has gone, or takes nothing any more
                beside.unlink()
        file.close()
        if os.name != "posix":
            with suppress(OSError):  # somebody has opened it
                beside.unlink()
        with suppress(OSError):  # the folders of a run that wrote nothing; where there is something they stay
            for folder in made:
                folder.rmdir()


def _in_use(path: str | os.PathLike, beside: Path) -> CrowdCountError:
    holder = ""
    with suppress(OSError):
        holder = beside.read_text("utf-8", "replace").strip()
    who = f" ({holder})" if holder else ""
    return CrowdCountError(f"{path} is being written by another run{who}. Wait for its end, or choose another place.")


def _locked(beside: Path) -> io.FileIO | None:
    """The file, open and locked by this run, with a line that says so; None where its last holder just removed it.

    Raises:
        BlockingIOError: where another one has it locked.
    """
    file = open(beside, "a+b", buffering=0)  # noqa: SIM115 - open as long as it is held
    try:
        _lock(file)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(beside)):
                since = time.strftime("%Y-%m-%d %H:%M:%S")
                with suppress(OSError):  # on a full disk it is locked without saying by whom
                    import socket

                    file.truncate(0)
                    file.write(f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode())
                return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _lock(file: io.FileIO) -> None:
    """Lock an open file where its file system knows locks."""
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # on Windows
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise BlockingIOError(*error.args) from None


def clear_leftovers(folder: str | os.PathLike) -> None:
    """Remove what `atomic_path` left in a folder where its process was killed in the middle of writing."""
    for leftover in Path(folder).glob(f".*-{'[0-9a-f]' * 8}.*"):
        leftover.unlink()


def append_whole(file: io.FileIO, data: bytes, path: str | os.PathLike) -> None:
    """Append to an unbuffered file, all or nothing: what a full disk took of it is taken back.

    Args:
        file: open at its end.
        data: what is appended.
        path: where the file lies, from the root: the current folder may be another one by now.

    Raises:
        OSError: if it cannot be written, or is no longer there under its name: what is written to a file that was
            removed, or whose disk was taken away, is lost.
    """
    if not _is_still(file, path):
        raise FileNotFoundError(errno.ENOENT, "it was removed, moved or replaced while it was being written")
    whole = os.fstat(file.fileno()).st_size
    try:
        while data:
            data = data[file.write(data) :]  # on a full disk first a part, then an error
    except BaseException:
        with suppress(OSError):  # a pipe takes nothing back
            file.truncate(whole)
        raise


def _is_still(file: io.FileIO, path: str | os.PathLike) -> bool:
    """Whether an open file is the one under this name, or a stream, which may have none."""
    now = os.fstat(file.fileno())
    if not stat.S_ISREG(now.st_mode):
        return True
    with suppress(OSError):
        return os.path.samestat(now, os.stat(path))
    return False


@contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Say of a failed write what was to be written, where the system names a temporary file.

    Raises:
        CrowdCountError: in place of an OSError in the block.
    """
    try:
        yield
    except OSError as error:
        raise CrowdCountError(f"cannot write {path}: {reason(error)}. Choose another place.") from error


def reason(error: OSError) -> str:
    """What the system says of a failure, in a line. HDF5 hides it among addresses and sizes of its own.

    Example:
        >>> reason(OSError(28, "No space left on device"))
        'No space left on device'
        >>> reason(OSError("Can't write (errno = 28, error message = 'No space left on device', buf = 0x55d0)"))
        'No space left on device'
    """
    within = re.search(r"error message = '([^']+)'", str(error))
    return within[1] if within else error.strerror or str(error)


def size_of(path: str | os.PathLike) -> int | None:
    """Bytes of a file; None where it cannot be looked at, which who reads it tells."""
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def is_stream(path: str | os.PathLike) -> bool:
    """Whether this is a pipe or a device, as a terminal: something to write to, and never to replace."""
    kind = _kind(path)
    return stat.S_ISFIFO(kind) or stat.S_ISCHR(kind)


def target_of(path: str | os.PathLike) -> Path:
    """The file that is written under this name: of a symbolic link its target, which need not be there yet.

    Raises:
        OSError: if it is a disk or a socket.
    """
    kind = _kind(path)
    if stat.S_ISBLK(kind) or stat.S_ISSOCK(kind):
        raise OSError(f"{path} is a disk or a socket, not a file")
    return Path(os.path.realpath(path) if os.path.islink(path) else path)


def _kind(path: str | os.PathLike) -> int:
    """The type of a file as `stat` knows it; 0 where there is none."""
    with suppress(OSError, ValueError):
        return stat.S_IFMT(os.stat(path).st_mode)
    return 0


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def portable_name(stem: str, ending: str = "") -> str:
    """A name for a file of ours, after that of a picture, that Windows takes too, and so do its memory sticks.

    What Windows does not take in names becomes `_`, a device's name gets one in front, and one that is too long loses
    the end of its stem.

    Args:
        stem: what it is called after; no path.
        ending: what follows, with the suffix.

    Example:
        >>> portable_name("12:30", "_overlay.png"), portable_name("con", ".h5"), portable_name("a. ")
        ('12_30_overlay.png', '_con.h5', 'a._')
    """

    def whole(stem: str) -> str:
        name = _NOT_IN_NAMES.sub("_", stem + ending)
        if name.endswith((".", " ")):
            name = f"{name[:-1]}_"
        return f"_{name}" if _DEVICES.fullmatch(name.split(".")[0].rstrip()) else name

    while len(os.fsencode(whole(stem))) > _LONGEST_NAME:
        stem = stem[:-1]
    return whole(stem)


def place_beside(path: str | os.PathLike, word: str = "interrupted") -> Path:
    """Where work that was broken off writes: `path` itself, or beside what is there a name that is free.

    Args:
        path: the file that is wanted.
        word: what stands in the other name.

    Example:
        >>> import tempfile
        >>> table = Path(tempfile.mkdtemp()) / "counts.csv"
        >>> place_beside(table).name, table.write_text("of before"), place_beside(table).name
        ('counts.csv', 9, 'counts_interrupted.csv')
    """
    place, number = Path(path), 1
    while not is_stream(place) and os.path.exists(place) and os.path.getsize(place):
        ending = f"_{number}" if number > 1 else ""
        place = Path(path).with_name(portable_name(Path(path).stem, f"_{word}{ending}{Path(path).suffix}"))
        number += 1
    return place


def as_cell(path: str) -> str:
    """A picture's path as a table holds it: one that a spreadsheet would take for a formula begins with `./`.

    So does one with a space in front, which readers leave out.

    It leads to the same file. Formulas of strangers' file names could open addresses, or start programs.

    Reference:
        OWASP, CSV Injection.

    Example:
        >>> as_cell("=1+1.jpg"), as_cell("photos/=1+1.jpg")
        ('./=1+1.jpg', 'photos/=1+1.jpg')
    """
    return f"./{path}" if path.startswith(_FORMULA) or path[:1].isspace() else path


def as_header(name: str) -> str:
    """A zone's name as the header of a column: one that a spreadsheet would take for a formula begins with `'`.

    Reference:
        As `as_cell`.

    Example:
        >>> as_header("=1+1"), as_header("stage")
        ("'=1+1", 'stage')
    """
    return f"'{name}" if name.startswith(_FORMULA) else name


def shown(name: str) -> str:
    """A name on one line of a terminal: signs that would control it are spelled out.

    Example:
        >>> shown("two\\nlines.jpg")
        'two\\\\nlines.jpg'
    """
    return _CONTROLS.sub(lambda sign: repr(sign[0])[1:-1], name)


def link_outside(group: h5py.Group) -> str | None:
    """The file that an HDF5 file points to, where it does: h5py would read whatever lies there.

    Args:
        group: the file, or a group in it.
    """
    import h5py

    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            return link.filename
        if isinstance(link, h5py.SoftLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            if found := link_outside(item):
                return found
        elif isinstance(item, h5py.Dataset) and item.external:
            return os.fsdecode(item.external[0][0])
    return None


def natural(path: Path) -> tuple:
    """What paths are sorted by, so that numbers in names follow their size; of 1 and 01 as texts do.

    Example:
        >>> sorted([Path("IMG_303.jpg"), Path("IMG_32.jpg")], key=natural)[0].name
        'IMG_32.jpg'
    """
    parts = [re.split(r"(\d+)", part) for part in path.parts]
    return [[int(piece) if index % 2 else piece for index, piece in enumerate(pieces)] for pieces in parts], path
