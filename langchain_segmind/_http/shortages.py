"""Failures for which this process is short of something, whatever the server does."""

import errno
from ssl import SSLError

SHORTAGES = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Codes of the operating system for a lack of threads, open files or memory."""

SHORTAGE_ADVICE = (
    "This process is short of memory, threads or open files: make fewer calls at once, or raise "
    "its limits."
)


def is_shortage(error: BaseException) -> bool:
    """Whether an error, or one that it comes from, is a lack of memory, threads or open files."""
    origin: object = error
    while isinstance(origin, BaseException):
        if isinstance(origin, MemoryError):
            return True
        if isinstance(origin, SSLError):  # its codes are OpenSSL's
            if "malloc failure" in str(origin):
                return True
        elif isinstance(origin, OSError) and origin.errno in SHORTAGES:
            return True
        # httpcore removes the causes of its errors, but passes them as an argument.
        origin = origin.__cause__ or next(iter(origin.args), None)
    return False
