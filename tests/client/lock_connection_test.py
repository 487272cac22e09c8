#!/usr/bin/env python3
"""A connection that is closed takes no lock away: the holder comes back on another one, with its session and its token.

    tests/client/lock_connection_test.py BIN     BIN: the folder with quorated and quorate

Between quorate lock run and a real server stands a proxy that closes connections, in order or by a reset.
"""
import json
import pathlib
import queue
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from terminal import PATIENCE, Server


class Proxy:
    """Hands bytes on, both ways."""

    def __init__(self, port):
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = queue.Queue()  # that were accepted and not dropped
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.port))
            for source, sink in (client, server), (server, client):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()
            self.connections.put((client, server))

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:  # it was dropped
            pass

    def next(self):
        """The next connection that comes."""
        return self.connections.get(timeout=PATIENCE)

    @staticmethod
    def drop(connection, reset):
        for each in connection:
            if reset:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # So that no thread holds it open that waits for bytes. The half that is read says nothing to the other side.
            each.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            each.close()


class Test(Server):
    def shown(self):
        return json.loads(self.in_pipe("--json", "lock", "show", "/l")[1])

    def keeps(self, reset):
        proxy = Proxy(int(self.endpoint.rpartition(":")[2]))
        holder = subprocess.Popen(
            [self.quorate, "--session-timeout", "60s", "lock", "run", "/l", "--", "sh", "-c", "echo $QUORATE_LOCK_TOKEN; read line; exit 7"],
            env={**self.environment, "QUORATE_ENDPOINTS": proxy.endpoint}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        token = holder.stdout.readline().decode().strip()
        before = self.shown()["holder"]
        assert str(before["token"]) == token, (before, token)
        connection = proxy.next()
        waiter = subprocess.Popen([self.quorate, "--json", "lock", "run", "/l", "--", "true"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while len(self.shown()["waiters"]) != 1:
            assert waiter.poll() is None
        for _ in range(5):
            proxy.drop(connection, reset)
            connection = proxy.next()  # it comes back by itself
            assert self.in_pipe("lock", "verify", "/l", token)[0] == 0
            after = self.shown()
            assert after["holder"] == before and len(after["waiters"]) == 1, (before, after)
        assert holder.poll() is None and waiter.poll() is None
        # Its last connection is as good as its first: the release goes over it.
        out, errors = holder.communicate(b"\n", timeout=PATIENCE)
        assert holder.returncode == 7 and errors == b"", (holder.returncode, out, errors)
        _, errors = waiter.communicate(timeout=PATIENCE)
        assert waiter.returncode == 0 and json.loads(errors)["locks"][0]["token"] > int(token), errors

    def run(self):
        try:
            for reset in False, True:
                self.keeps(reset)
        finally:
            self.stop()


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with tempfile.TemporaryDirectory() as folder:
        Test(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder)).run()
    print("A lock outlives the connections of its holder.")


if __name__ == "__main__":
    main()
