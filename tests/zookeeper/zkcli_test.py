"""ZooKeeper's own client in Java, by the commands of zkCli.sh, against three servers, of which the leader dies between
two commands. Usage: zkcli_test.py QUORATED"""

import subprocess
import sys
import threading
import time

from cluster import Cluster, until
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
    ("config", "participant"),
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
        """Whether that is told of it, within a time that only a fault reaches. A command whose answer was lost with
        its connection is given again."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            begin = self.give(command)
            if not expected:
                return True
            with self.changed:
                self.changed.wait_for(lambda: expected in self.told[begin:] or LOST in self.told[begin:],
                                      end - time.monotonic())
                if expected in self.told[begin:]:
                    return True
        return False

    def quit(self):
        self.give("quit")
        self.process.wait(LIMIT_S)


def main(quorated):
    cluster, shell = Cluster(quorated), None
    try:
        for server in cluster.ids():
            until(lambda: cluster.serves(server), "quorated serves")
        shell = Shell(cluster.addresses())
        missing = ["%s: '%s'" % each for each in COMMANDS if not shell.ask(*each)]
        killed = cluster.leader()
        cluster.kill(killed)
        cluster.start(killed)
        missing += ["%s: '%s'" % each for each in AFTERWARDS if not shell.ask(*each)]
        shell.quit()
        if missing:
            print(shell.told)
            print("not told:\n  " + "\n  ".join(missing))
        print("%d passed, %d failed" % (len(COMMANDS) + len(AFTERWARDS) - len(missing), len(missing)))
        return 1 if missing else 0
    finally:
        if shell:
            shell.process.kill()
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
