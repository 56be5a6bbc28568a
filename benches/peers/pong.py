"""The other process of the floor, in Python: sends back what it receives. `pong.py FD SIZE`."""

import socket
import sys

peer, size = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
while len(message := peer.recv(size, socket.MSG_WAITALL)) == size:
    peer.sendall(message)
