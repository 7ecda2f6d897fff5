"""Count people in pictures of crowds with CSRNet, train it, learn how it works.

    >>> import crowdcount
    >>> result = crowdcount.count("march.jpg")  # doctest: +SKIP
    >>> result.count  # doctest: +SKIP
    1243.7

The public names stand in `__init__.pyi`, once for Python and for editors. They are imported when they are first used:
`import crowdcount` loads neither TensorFlow nor NumPy.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
