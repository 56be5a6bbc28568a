"""A call and a stream that wait, in a process of green threads, while other green threads run.

python green.py gevent|eventlet dirtyd-first|patch-first FOLDER
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

library, order, folder = sys.argv[1:]

if order == "dirtyd-first":
    import dirtyd.client  # It must not keep what is patched later.

if library == "gevent":
    import_module("gevent.monkey").patch_all()
else:
    import_module("eventlet").monkey_patch()

# As they are after the patch.
import threading  # noqa: E402
import time  # noqa: E402

import dirtyd  # noqa: E402
from work import WORK  # noqa: E402

client = dirtyd.get_dirty_client()
results: dict[str, Any] = {}


def note(key: str, *call: Any) -> None:
    results[key] = client.execute(WORK, *call)


def note_chunks(key: str, *call: Any) -> None:
    results[key] = list(client.stream(WORK, *call))


# These are green threads now.
held = threading.Thread(target=note, args=("held", "hold", folder, ""))
stream = threading.Thread(target=note_chunks, args=("stream", "two_halves", folder))
held.start()
stream.start()
while not Path(folder, "started").exists():
    time.sleep(0.01)
others = [threading.Thread(target=note, args=(str(number), "echo", number)) for number in range(20)]
for other in others:
    other.start()
for other in others:
    other.join()
assert [results[str(number)] for number in range(20)] == list(range(20))
assert "held" not in results
assert "stream" not in results
Path(folder, "release").touch()
held.join()
stream.join()
print(results["held"], *results["stream"])
