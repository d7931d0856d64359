"""Mask secrets in httpcore's log, which holds a SOCKS proxy's password and headers of responses."""

import logging
import re

from langchain_segmind._api.secrets import MASK, mask_secrets

LOGGERS = ("httpcore.socks", "httpcore.http11", "httpcore.http2")
"""Filters of the logger `httpcore` do not see what its children log."""

PROXY_CREDENTIALS = re.compile(r"\bauth=\(.*")


def mask_record(record: logging.LogRecord) -> bool:
    """Mask the credentials of a proxy or URL, and keys of Segmind, in a record of httpcore."""
    record.msg = mask_secrets(PROXY_CREDENTIALS.sub(f"auth={MASK}", record.getMessage()), ())
    record.args = ()
    return True


def mask_httpcore_log() -> None:
    """Mask secrets in the log lines of httpcore, those of other packages included."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(mask_record)
