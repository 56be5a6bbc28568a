"""Imports the examples from the folder of dirtyd.toml, as the daemon does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
