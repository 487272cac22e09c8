"""Debian's ZooKeeper as one server in a folder that goes away with it, with everything on that clients can ask for."""

import os
import shutil
import socket
import subprocess
import tempfile

from cluster import HOST, free_ports, until

# The digest of super:secret.
SUPER = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
CLASSES = "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar"


class Oracle:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="quorate-oracle-")
        self.port, = free_ports(1)
        configuration = os.path.join(self.folder, "zoo.cfg")
        with open(configuration, "w") as file:
            file.write("tickTime=2000\ndataDir=%s\nclientPort=%d\nclientPortAddress=%s\nforceSync=no\n"
                       "4lw.commands.whitelist=*\nextendedTypesEnabled=true\nenforceQuota=true\n"
                       "admin.enableServer=false\nmaxClientCnxns=0\nmaxSessionTimeout=60000\n"
                       % (os.path.join(self.folder, "data"), self.port, HOST))
        command = ["/usr/bin/java", "-Xmx512m", "-cp", CLASSES,
                   "-Dzookeeper.forceSync=no", "-Dzookeeper.extendedTypesEnabled=true", "-Dzookeeper.enforceQuota=true",
                   "-Dzookeeper.4lw.commands.whitelist=*", "-Dzookeeper.admin.enableServer=false",
                   "-Dzookeeper.DigestAuthenticationProvider.superDigest=" + SUPER,
                   "org.apache.zookeeper.server.quorum.QuorumPeerMain", configuration]
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        until(self.serves, "ZooKeeper serves", seconds=60)

    def serves(self):
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(b"srvr")
                return b"Mode:" in connection.recv(65536)
        except OSError:
            return False

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
