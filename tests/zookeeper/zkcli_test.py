"""ZooKeeper's own client in Java, by the commands of zkCli.sh, against three servers, of which the leader dies between
two commands. Usage: zkcli_test.py QUORATED"""

import itertools
import subprocess
import sys
import threading
import time

from cluster import HOST, Cluster, until
from oracle import CLASSES

LIMIT_S = 30
LOST = "ConnectionLoss"

# A command, and what is to be read in its answer.
COMMANDS = [
    ("create /a one", "Created /a"),
    ("create -s /a/q- two", "Created /a/q-0000000000"),
    ("create -e /a/e three", "Created /a/e"),
    ("create -c /box", "Created /box"),
    ("create -t 100000 /mortal x", "Created /mortal"),
    ("create /a again", "Node already exists: /a"),
    ("get -s /a", "numChildren = 2"),
    ("ls /a", "[e, q-0000000000]"),
    ("stat -w /a", "dataVersion = 0"),
    ("set /a changed", "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a"),
    ("set -v 7 /a wrong", "version No is not valid : /a"),
    ("setquota -N 4 /a", ""),
    ("listquota /a", "countHardLimit=4"),
    ("create /a/over", "Created /a/over"),
    ("create /a/more", "Quota has exceeded : /a/more"),
    ("delquota -N /a", ""),
    ("addauth digest anna:secret", ""),
    ("create /mine x auth:anna:cdrwa", "Created /mine"),
    ("getAcl /mine", "'digest,'anna:"),
    ("whoami", "digest: anna"),
    ("getEphemerals /a", "[/a/e]"),
    ("getAllChildrenNumber /a", "3"),
    ("sync /a", "Sync is OK"),
    ("addWatch -m PERSISTENT_RECURSIVE /a", ""),
    ("stat -w /mine", "dataVersion = 0"),
]
# After the death of the leader, in the same session: its nodes, its permissions and its watches are there.
AFTERWARDS = [
    ("ls /", "[a, box, mine, mortal, zookeeper]"),
    ("getEphemerals /a", "[/a/e]"),
    ("whoami", "digest: anna"),
    ("set /mine y", "WatchedEvent state:SyncConnected type:NodeDataChanged path:/mine"),
    ("create -s /a/q- three", "Created /a/q-0000000003"),
    ("delete /a/over", "WatchedEvent state:SyncConnected type:NodeDeleted path:/a/over"),
    ("removewatches /a", ""),
    ("deleteall /a", ""),
    ("get /a", "Node does not exist: /a"),
]


def about_servers(cluster):
    """What the servers say of themselves, to every client alike."""
    ports = cluster.peer_ports
    lines = ["server.%d=%s:%d:%d:participant;%s" % (i, HOST, ports[i - 1], ports[i - 1] + 1, cluster.address(i))
             for i in cluster.ids()]
    # Java's client lists the addresses in an order of its own.
    orders = ["0 " + ",".join(order) for order in itertools.permutations(cluster.addresses().split(","))]
    return [("config", line) for line in lines + ["version=0"]] + [("config -c", orders)]


class Shell:
    """zkCli.sh, asked one thing after another."""

    def __init__(self, addresses):
        command = ["/usr/bin/java", "-Xmx128m", "-cp", CLASSES, "org.apache.zookeeper.ZooKeeperMain",
                   "-server", addresses]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.told, self.changed = "", threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.told += line
                self.changed.notify_all()

    def give(self, command):
        with self.changed:
            begin = len(self.told)
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return begin

    def ask(self, command, expected):
        """Whether that, or one of those, is told of it, within a time that only a fault reaches. A command whose answer was lost with
        its connection is given again."""
        wanted = [expected] if isinstance(expected, str) else expected

        def told(begin):
            return any(each in self.told[begin:] for each in wanted)

        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            begin = self.give(command)
            if not expected:
                return True
            with self.changed:
                self.changed.wait_for(lambda: told(begin) or LOST in self.told[begin:], end - time.monotonic())
                if told(begin):
                    return True
        return False

    def quit(self):
        self.give("quit")
        self.process.wait(LIMIT_S)


def main(quorated):
    cluster, shell = Cluster(quorated, flags=["--four-letter-words", "*"]), None
    try:
        for server in cluster.ids():
            until(lambda: cluster.serves(server), "quorated serves")
            until(lambda: cluster.word(server, "conf").count(";") == 3, "it has heard of the others")
        shell = Shell(cluster.addresses())
        commands = COMMANDS + about_servers(cluster)
        missing = ["%s: '%s'" % each for each in commands if not shell.ask(*each)]
        killed = cluster.leader()
        cluster.kill(killed)
        cluster.start(killed)
        missing += ["%s: '%s'" % each for each in AFTERWARDS if not shell.ask(*each)]
        shell.quit()
        if missing:
            print(shell.told)
            print("not told:\n  " + "\n  ".join(missing))
        print("%d passed, %d failed" % (len(commands) + len(AFTERWARDS) - len(missing), len(missing)))
        return 1 if missing else 0
    finally:
        if shell:
            shell.process.kill()
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
