"""Random histories against Debian's ZooKeeper and one quorated, side by side.
Usage: differential.py QUORATED ZOOKEEPER_DIFFERENTIAL [SEED [OPERATIONS]]"""

import subprocess
import sys

from cluster import Cluster, until
from oracle import Oracle


def main(quorated, differential, seed="1", operations="20000"):
    oracle, cluster = Oracle(), None
    try:
        cluster = Cluster(quorated, servers=1)
        until(lambda: cluster.serves(1), "quorated serves")
        return subprocess.call([differential, str(oracle.port), str(cluster.client_ports[0]), seed, operations])
    finally:
        oracle.stop()
        if cluster:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
