"""The exceptions that crowdcount raises for bad input, and a warning.

Each message says what is wrong, with the value received, and what to do. The command line prints the message and ends
with status 1; a traceback is kept for our own mistakes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 200  # characters of what a library says
_LONGEST_MESSAGE = 2_000


class CrowdCountError(Exception):
    """Base class: catch this to catch every error that crowdcount raises on purpose.

    A message of more than 2,000 characters leaves out its middle: files name things as long as they like.

    Example:
        >>> str(CrowdCountError(f"There is no {'x' * 5000}. Choose another."))[990:1040]
        'xxxxxxxxxx [... 3,029 characters left out ...] xxx'
    """

    def __str__(self) -> str:
        message = super().__str__()
        left_out = len(message) - _LONGEST_MESSAGE
        if left_out <= 0:
            return message
        half = _LONGEST_MESSAGE // 2
        return f"{message[:half]} [... {left_out:,} characters left out ...] {message[-half:]}"


class PictureError(CrowdCountError, ValueError):
    """A picture cannot be read or used."""


class AnnotationError(CrowdCountError, ValueError):
    """Head annotations are missing, unreadable or contradict their picture."""


class DataError(CrowdCountError, ValueError):
    """A data set, a density map or another data file is not what it should be."""


class WeightsError(CrowdCountError, ValueError):
    """A weight file or its model card is missing, damaged or made for another network."""


class NetworkError(CrowdCountError, ValueError):
    """A network cannot be built as asked for, or is none that counts."""


class TrainingError(CrowdCountError, ValueError):
    """A training run cannot start, go on or be resumed."""


class VideoError(CrowdCountError, ValueError):
    """A video or a camera cannot be read, or a video cannot be written."""


class MissingPackageError(CrowdCountError, ImportError):
    """A package that only some of crowdcount needs is not installed."""


class AnnotationWarning(UserWarning):
    """Head annotations can be read, and may not mean what they say."""


@contextmanager
def needing(what: str, install: str) -> Iterator[None]:
    """Import packages that need not be there.

    Args:
        what: what needs which packages, as the message begins.
        install: what `pip install` is to be given, an extra of crowdcount's or a package.

    Raises:
        MissingPackageError: if one of them cannot be imported.

    Example:
        >>> with needing("Flying needs wings", "wings"):
        ...     import wings
        Traceback (most recent call last):
        crowdcount.errors.MissingPackageError: Flying needs wings (No module named 'wings'). Install: pip install wings
    """
    try:
        yield
    except ImportError as error:
        raise MissingPackageError(f"{what} ({error}). Install: pip install {install}") from error


def first_line(error: BaseException) -> str:
    """What a library's exception says, for a message of ours: its first line, at most 200 characters of it.

    Some say nothing, some show pages of a damaged file.

    Example:
        >>> first_line(ValueError("cut off\\nat 3")), first_line(MemoryError())
        ('cut off', 'MemoryError')
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= _LONGEST else f"{lines[0][: _LONGEST - 3]}..."
