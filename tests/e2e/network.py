"""A bad network for the tests."""
import random
import select
import socket
import threading
import time


class LossyProxy(threading.Thread):
    """A TCP proxy that now and then cuts a connection, or lets nothing through for a while; and refuses all while it is
    `away`."""

    def __init__(self, target, seed):
        super().__init__(daemon=True)
        self.target = target
        self.random = random.Random(seed)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.peers = {}  # each socket's other end
        self.stalled_until = {}
        self.cuts = self.stalls = 0
        self.lossy = True
        self.away = False
        self.ending = False

    def accept(self):
        inside, _ = self.listener.accept()
        try:
            if self.away:
                raise ConnectionRefusedError
            outside = socket.create_connection(self.target)
        except OSError:
            inside.close()
            return
        self.peers[inside], self.peers[outside] = outside, inside

    def cut(self, one):
        other = self.peers.pop(one)
        del self.peers[other]
        one.close()
        other.close()

    def move(self, one):
        try:
            data = one.recv(65536)
            if data:
                self.peers[one].sendall(data)
        except OSError:
            data = b""
        if not data:
            self.cut(one)
        elif self.lossy and self.random.random() < 0.01:
            self.cuts += 1
            self.cut(one)
        elif self.lossy and self.random.random() < 0.01:
            self.stalls += 1
            self.stalled_until[one] = time.monotonic() + self.random.random()

    def run(self):
        while not self.ending:
            now = time.monotonic()
            while self.away and self.peers:
                self.cut(next(iter(self.peers)))
            wanted = [s for s in self.peers if self.stalled_until.get(s, 0) < now]
            ready, _, _ = select.select([self.listener, *wanted], [], [], 0.05)
            for one in ready:
                if one is self.listener:
                    self.accept()
                elif one in self.peers:
                    self.move(one)
        for one in [self.listener, *self.peers]:
            one.close()

    def stop(self):
        self.ending = True
        self.join()
