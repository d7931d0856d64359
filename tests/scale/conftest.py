"""Settings of Ray, which reads most of them on import."""

import os
import secrets

os.environ.update(
    {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),  # otherwise Ray writes one to the home folder
        "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
        # Without support for several machines, Ray listens on the loopback address only.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)
