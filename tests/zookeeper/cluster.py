"""Real servers for tests with real clients: quorated as processes in a folder that goes away with them."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOST = "127.0.0.1"


def free_ports(count):
    """Ports that nobody listens on, held together until all are known."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def until(condition, what, seconds=30):
    """Waits for something that is bound to happen, and says what did not."""
    end = time.monotonic() + seconds
    late = False
    while not late:
        late = time.monotonic() >= end  # looked at before: a machine that stood still is no reason to look once less
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("did not happen in %d s: %s" % (seconds, what))


class Cluster:
    """Some quorated, by ids from 1 on."""

    def __init__(self, quorated, servers=3, flags=()):
        self.quorated = quorated
        self.flags = list(flags)
        self.folder = tempfile.mkdtemp(prefix="quorate-zookeeper-")
        ports = free_ports(2 * servers)
        self.peer_ports, self.client_ports = ports[:servers], ports[servers:]
        self.processes = {}
        for server in self.ids():
            self.start(server)

    def ids(self):
        return range(1, len(self.client_ports) + 1)

    def start(self, server):
        peers = ",".join("%d=%s:%d" % (i, HOST, self.peer_ports[i - 1]) for i in self.ids())
        command = [self.quorated, "--id", str(server), "--cluster", peers,
                   "--data", os.path.join(self.folder, str(server)),
                   "--client", "%s:%d" % (HOST, self.client_ports[server - 1]),
                   "--segment-bytes", "4MiB"] + self.flags
        with open(self.log(server), "ab") as log:
            self.processes[server] = subprocess.Popen(command, stderr=log, stdout=log)

    def log(self, server):
        return os.path.join(self.folder, "%d.log" % server)

    def address(self, server):
        return "%s:%d" % (HOST, self.client_ports[server - 1])

    def addresses(self):
        return ",".join(self.address(server) for server in self.ids())

    def kill(self, server):
        process = self.processes.pop(server)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def word(self, server, word):
        """What a four-letter word is answered."""
        with socket.create_connection((HOST, self.client_ports[server - 1]), timeout=10) as connection:
            connection.sendall(word.encode())
            answer = b""
            while True:
                more = connection.recv(65536)
                if not more:
                    return answer.decode()
                answer += more

    def serves(self, server):
        try:
            return self.word(server, "isro") == "rw"
        except OSError:
            return False

    def leader(self):
        """The id of who leads, waited for."""
        def look():
            for server in list(self.processes):
                try:
                    if "zk_server_state\tleader" in self.word(server, "mntr"):
                        return server
                except OSError:
                    pass
            return None
        return until(look, "a leader")

    def stop(self, keep=False):
        for server in list(self.processes):
            self.kill(server)
        if keep:
            print("the servers' logs are kept in " + self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
