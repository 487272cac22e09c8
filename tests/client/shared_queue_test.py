"""Native clients and kazoo contend for one lock, with leaders and holders that are killed, and write into a file that only
whoever has the newest token may append to. Usage: shared_queue_test.py FOLDER-OF-THE-PROGRAMS [unittest's arguments]

The servers have --mixed-locks refuse: on an empty path the native client takes names that kazoo does not count, and without
that kazoo would take the lock beside it (docs/locks.md)."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "zookeeper"))

PROGRAMS = None
PATH = "/jobs/shared"


def append(file, token, word):
    """Whether the file took it: it remembers the newest token."""
    with open(file, "a+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        lines = log.read().splitlines()
        if lines and token < int(lines[-1].split()[0]):
            return False
        log.write("%d %s\n" % (token, word))
        log.flush()
        return True


def work(file, token, who):
    append(file, token, "begin " + who)
    time.sleep(0.005)
    append(file, token, "end " + who)


def native_command():
    """What `lock run` runs: SCRIPT work FILE HELD."""
    file, held = sys.argv[2:]
    token = int(os.environ["QUORATE_LOCK_TOKEN"])
    if held != "-":
        append(file, token, "begin held")
        with open(held, "w") as mark:
            mark.write(str(token))
        signal.pause()
    work(file, token, "native")


class SharedQueue(unittest.TestCase):
    def setUp(self):
        from cluster import Cluster
        self.cluster = Cluster(os.path.join(PROGRAMS, "quorated"), flags=["--mixed-locks", "refuse"])
        self.addCleanup(self.cluster.stop)
        self.cluster.leader()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = os.path.join(self.folder.name, "log")
        self.stopping = False
        self.errors = []

    def lock_run(self, held="-"):
        return [os.path.join(PROGRAMS, "quorate"), "--endpoints", self.cluster.addresses(), "--session-timeout", "4s",
                "lock", "run", "--wait", "20s", PATH, "--", sys.executable, os.path.abspath(__file__), "work",
                self.file, held]

    def native(self):
        while not self.stopping:
            # 125: no server, or kazoo came first on an empty path; it is asked again, a little later: where a native
            # client is always there, kazoo is never let in.
            time.sleep(0.1)
            code = subprocess.run(self.lock_run(), stderr=subprocess.DEVNULL).returncode
            if code not in (0, 124, 125):
                self.errors.append("lock run ended with %d" % code)

    def kazoo(self, name):
        from kazoo.exceptions import KazooException
        while not self.stopping:
            try:
                self.kazoo_session(name)
            except KazooException:
                pass  # a connection that was lost in the middle: its session is closed, and with it whatever it left

    def kazoo_session(self, name):
        from kazoo.client import KazooClient
        from kazoo.exceptions import BadArgumentsError, LockTimeout
        forever = dict(max_tries=-1, max_delay=0.5)
        client = KazooClient(hosts=self.cluster.addresses(), timeout=10, connection_retry=forever, command_retry=forever)
        try:
            client.start(timeout=30)
            while not self.stopping:
                lock = client.Lock(PATH, name)
                try:
                    lock.acquire(timeout=20)
                except LockTimeout:
                    continue
                except BadArgumentsError:
                    time.sleep(0.005)  # a native name is there: kazoo's would not see it
                    continue
                work(self.file, client.retry(client.exists, PATH + "/" + lock.node).czxid, "kazoo")
                lock.release()
        finally:
            client.stop()
            client.close()

    def lines(self):
        if not os.path.exists(self.file):
            return []
        with open(self.file) as log:
            return log.read().splitlines()

    def count(self, who):
        return sum(line.endswith("end " + who) for line in self.lines())

    def both_go_on(self, more):
        from cluster import until
        natives, kazoos = self.count("native"), self.count("kazoo")
        until(lambda: self.errors or (self.count("native") >= natives + more and self.count("kazoo") >= kazoos + more),
              "both kinds of clients get the lock %d times more" % more, 90)

    def test_one_at_a_time_whatever_client_it_is(self):
        from cluster import until
        threads = [threading.Thread(target=self.native)]
        threads += [threading.Thread(target=self.kazoo, args=("kazoo %d" % i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        try:
            self.both_go_on(5)
            killed = self.cluster.leader()
            self.cluster.kill(killed)
            self.both_go_on(3)
            self.cluster.start(killed)
            # A holder that dies: the others go on when its session is over.
            mark = os.path.join(self.folder.name, "held")
            holder = subprocess.Popen(self.lock_run(mark), stderr=subprocess.DEVNULL)
            until(lambda: os.path.exists(mark) or holder.poll() is not None, "the lock is held", 60)
            if holder.poll() is None:
                holder.kill()
            holder.wait()
            self.both_go_on(3)
        finally:
            self.stopping = True
            for thread in threads:
                thread.join()
        self.assertEqual(self.errors, [])
        self.check(self.lines())

    def check(self, lines):
        """Tokens grow, and what one token wrote stands together: nobody came in between."""
        done, current = set(), None
        for line in lines:
            token, step, _ = line.split()
            if token != current:
                self.assertNotIn(token, done, "two held at once: " + line)
                self.assertEqual(step, "begin", line)
                self.assertTrue(current is None or int(token) > int(current), line)
                done.add(current)
                current = token


if __name__ == "__main__":
    if sys.argv[1] == "work":
        native_command()
    else:
        PROGRAMS = os.path.abspath(sys.argv.pop(1))
        unittest.main()
