"""Random histories against Debian's ZooKeeper and Quorate, side by side.
Usage: differential.py QUORATED ZOOKEEPER_DIFFERENTIAL [SEED [OPERATIONS [SERVERS [local|linearizable]]]]"""

import subprocess
import sys

from cluster import Cluster, until
from oracle import SUPER, Oracle


def main(quorated, differential, seed="1", operations="20000", servers="3", reads="local"):
    oracle, cluster, status = Oracle(), None, 1
    try:
        cluster = Cluster(quorated, servers=int(servers), flags=["--super-digest", SUPER, "--zookeeper-reads", reads])
        for server in cluster.ids():
            until(lambda: cluster.serves(server), "quorated serves")
        ports = ",".join(str(port) for port in cluster.client_ports)
        status = subprocess.call([differential, str(oracle.port), ports, seed, operations, reads])
        return status
    finally:
        oracle.stop()
        if cluster:
            # 1: answers differ; anything else may be a server that ended, and its log says why.
            cluster.stop(keep=status not in (0, 1))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
