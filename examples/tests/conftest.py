"""The examples are imported as the daemon imports them: from the folder of dirtyd.toml."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
