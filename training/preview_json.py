"""`python -m training.preview_json < config.yaml`: the preview of a config as one JSON object.

For the page of a new run: the tokenizer's libraries stay out of the web server, and reading may
be given up after a while. Exit code 2 with the reason on stderr if the config cannot be run.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from training import config as configs
from training import sources
from training.outcome import WRONG_CONFIG


def main() -> int:
    try:
        config = configs.from_yaml(sys.stdin.read())
        if isinstance(config, configs.StageConfig):  # said at once, before libraries are loaded
            for source in config.data.sources:
                sources.files(source)
        from training import preview

        found = preview.look(config)
    except configs.ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_CONFIG
    reasons = found.report.reasons()
    sys.stdout.write(json.dumps(asdict(found) | {"reasons": reasons}, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
