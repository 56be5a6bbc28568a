"""The Flask app in eventlet's own server, because gunicorn has no worker for eventlet any longer.

python eventlet_server.py SOCKET
"""

import sys

import eventlet
import eventlet.wsgi

eventlet.monkey_patch()

from flask_app import app  # noqa: E402

listener = eventlet.listen(sys.argv[1], family=eventlet.green.socket.AF_UNIX)
# It would gather 4 KiB before it sends a chunk.
eventlet.wsgi.server(listener, app, log_output=False, minimum_chunk_size=1)
