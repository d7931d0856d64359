"""Mask secrets in httpcore's log, which holds a SOCKS proxy's password and headers of responses."""

import logging
import re

from langchain_segmind._api.secrets import MASK, mask_secrets

LOGGERS = ("httpcore.socks", "httpcore.http11", "httpcore.http2")
"""Filters of the logger `httpcore` do not see what its children log."""

PROXY_CREDENTIALS = re.compile(r"\bauth=\(.*")


def mask_record(record: logging.LogRecord) -> bool:
    """Mask the credentials of a proxy or URL, and keys of Segmind, in a record of httpcore.

    The error for a record that cannot be formatted would be raised by the line that logs it.
    """
    try:
        message = record.getMessage()
    except Exception as error:  # noqa: BLE001 - of the arguments' own methods
        message = f"This record cannot be formatted ({type(error).__name__})."
    record.msg = mask_secrets(PROXY_CREDENTIALS.sub(f"auth={MASK}", message), ())
    record.args = ()
    return True


def mask_httpcore_log() -> None:
    """Mask secrets in the log lines of httpcore, those of other packages included."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(mask_record)
