"""A worker that never boots: it exits, says nothing, or says the wrong thing."""

import sys
import time

from wire import SOCKET, hello

match sys.argv[1]:
    case "exit":
        print("no licence found", file=sys.stderr)
        sys.exit(9)
    case "silent":
        time.sleep(60)
    case "version":
        hello(version=99)
        time.sleep(60)
    case "noise":
        SOCKET.sendall(b"GET / HTTP/1.1\r\n\r\n")
        time.sleep(60)
