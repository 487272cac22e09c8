"""A crowd of connections that never become sessions, and what a client that works feels of them: silent ones, ones with half a
connect request, and ones that send a byte a second. All of them must be closed in time, in little memory.
A look for people, by hand: what it prints are times and bytes of this machine, and what it refuses depends on its clock, so it is
no test. That such connections are closed is one of tests/server/client_listener_test.cc.
Usage: crowd.py QUORATED [CONNECTIONS]"""

import select
import socket
import struct
import sys
import time

from cluster import HOST, Cluster, until

CONNECT = struct.pack(">iiqiqi16s?", 45, 0, 0, 10000, 0, 16, bytes(16), False)
GET = struct.pack(">iiii1s?", 14, 1, 4, 1, b"/", False)
# By default 10 s to the first bytes, and 30 s from then to the whole request; the rest is a busy machine's.
LIMIT_S = 60
BYTES_EACH_MAX = 1 << 20


class Client:
    """A session that reads one node again and again."""

    def __init__(self, port):
        self.socket = socket.create_connection((HOST, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ask(CONNECT)

    def ask(self, frame):
        self.socket.sendall(frame)
        size, = struct.unpack(">i", self.exactly(4))
        return self.exactly(size)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise AssertionError("the server closed a connection that did nothing wrong")
            data += more
        return data

    def times(self, seconds, meanwhile=lambda: None):
        took, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            self.ask(GET)
            took.append(time.monotonic() - begin)
            meanwhile()
            time.sleep(0.001)
        return took


def p99_ms(took):
    return sorted(took)[len(took) * 99 // 100] * 1000


def resident(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024


class Crowd:
    def __init__(self, port, count):
        self.sent, self.poll = {}, select.epoll()
        self.sockets, self.due = {}, time.monotonic()
        for i in range(count):
            each = socket.create_connection((HOST, port), timeout=30)
            each.setblocking(False)
            self.sockets[each.fileno()] = each
            self.poll.register(each, select.EPOLLIN | select.EPOLLHUP)
            if i % 3 == 1:
                each.send(CONNECT[:20])
            if i % 3 == 2:
                self.sent[each.fileno()] = 0

    def send_bytes(self):
        """What is due: each a byte a second, one after another."""
        now = time.monotonic()
        while self.sent and self.due < now:
            number = next(iter(self.sent))
            sent = self.sent.pop(number)
            self.due += 1 / (len(self.sent) + 1)
            try:
                self.sockets[number].send(CONNECT[sent:sent + 1])
                self.sent[number] = sent + 1
            except OSError:
                pass  # closed; that is seen by the poll

    def forget_the_closed(self):
        for number, _ in self.poll.poll(0):
            self.poll.unregister(number)
            self.sockets.pop(number).close()
            self.sent.pop(number, None)


def main(quorated, connections="9000"):
    cluster = Cluster(quorated)
    try:
        for server in cluster.ids():
            until(lambda: cluster.serves(server), "quorated serves")
        client = Client(cluster.client_ports[0])
        pid = cluster.processes[1].pid
        before_ms, before_bytes = p99_ms(client.times(10)), resident(pid)
        begin = time.monotonic()
        crowd = Crowd(cluster.client_ports[0], int(connections))
        print("%d connections in %.1f s" % (len(crowd.sockets), time.monotonic() - begin))
        took, each_bytes = [], 0
        while crowd.sockets:
            took += client.times(1, crowd.send_bytes)
            each_bytes = max(each_bytes, (resident(pid) - before_bytes) // int(connections))
            crowd.forget_the_closed()
            if time.monotonic() - begin > LIMIT_S:
                print("%d connections are open after %d s" % (len(crowd.sockets), LIMIT_S))
                return 1
        print("all closed after %.1f s; %d bytes each at most; a get's p99 was %.2f ms without them, %.2f ms with them"
              % (time.monotonic() - begin, each_bytes, before_ms, p99_ms(took)))
        return 0 if each_bytes < BYTES_EACH_MAX else 1
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
