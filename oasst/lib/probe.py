"""Asks a site on this machine whether it is ready: `python -m oasst.lib.probe PORT` ends with 0."""

import os
import sys
import urllib.request
from urllib.parse import urlsplit


def is_ready(port: int, address: str = "127.0.0.1") -> bool:
    """Ask `/readyz` by the name that the site goes by, since it refuses to answer to others."""
    host = urlsplit(os.environ.get("SITE_URL", "")).netloc or "localhost"
    request = urllib.request.Request(f"http://{address}:{port}/readyz", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=4) as response:
            return bool(response.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(sys.argv[1])) else 1)
