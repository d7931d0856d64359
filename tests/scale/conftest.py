"""Settings of Ray, which reads most of them as it is imported."""

import os
import secrets

os.environ.update(
    {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),  # else Ray writes one into the home folder
        "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
        # "No cluster of several machines": all of Ray listens on the loopback address alone.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)
