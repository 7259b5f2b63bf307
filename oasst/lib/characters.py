"""The characters that PostgreSQL cannot hold in a text or in JSON."""

import re

# NUL and lone surrogates.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
