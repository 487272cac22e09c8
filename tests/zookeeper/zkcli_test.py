"""ZooKeeper's own client in Java, by the commands of zkCli.sh, against three servers.
Usage: zkcli_test.py QUORATED"""

import subprocess
import sys

from cluster import Cluster, until
from oracle import CLASSES

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
    ("delete /a/over", "WatchedEvent state:SyncConnected type:NodeDeleted path:/a/over"),
    ("removewatches /a", ""),
    ("deleteall /a", ""),
    ("get /a", "Node does not exist: /a"),
]


def main(quorated):
    cluster = Cluster(quorated)
    try:
        for server in cluster.ids():
            until(lambda: cluster.serves(server), "quorated serves")
        command = ["/usr/bin/java", "-Xmx128m", "-cp", CLASSES, "org.apache.zookeeper.ZooKeeperMain",
                   "-server", cluster.addresses()]
        asked = "".join("%s\n" % text for text, _ in COMMANDS) + "quit\n"
        done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=60)
        told = done.stdout + done.stderr
        missing = ["%s: '%s'" % each for each in COMMANDS if each[1] not in told]
        if missing:
            print(told)
            print("not told:\n  " + "\n  ".join(missing))
        return 1 if missing else 0
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
