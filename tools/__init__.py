"""Commands for those who keep or teach the course: they are run from a checkout and are no part of the package."""
