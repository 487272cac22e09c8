"""Random histories against Debian's ZooKeeper and Quorate, side by side.
Usage: differential.py QUORATED ZOOKEEPER_DIFFERENTIAL [SEED [OPERATIONS [SERVERS]]]"""

import subprocess
import sys

from cluster import Cluster, until
from oracle import SUPER, Oracle


def main(quorated, differential, seed="1", operations="20000", servers="3"):
    oracle, cluster = Oracle(), None
    try:
        cluster = Cluster(quorated, servers=int(servers), flags=["--super-digest", SUPER])
        for server in cluster.ids():
            until(lambda: cluster.serves(server), "quorated serves")
        ports = ",".join(str(port) for port in cluster.client_ports)
        return subprocess.call([differential, str(oracle.port), ports, seed, operations])
    finally:
        oracle.stop()
        if cluster:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
