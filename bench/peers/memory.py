"""The most memory that this process held so far."""

import resource


def peak():
    """In megabytes; Linux gives kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
