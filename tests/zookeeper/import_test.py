"""Moving over: a ZooKeeper ensemble is imported into three quorated while a client of it is left running, by the
commands of docs/moving-from-zookeeper.md. Usage: import_test.py FOLDER-OF-QUORATED-AND-QUORATE [unittest's arguments]"""

import base64
import hashlib
import json
import logging
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

# ZooKeeper takes lists of permissions only of schemes that it was told of.
os.environ["JAVA_TOOL_OPTIONS"] = "-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoAuthError
from kazoo.protocol.states import KazooState
from kazoo.security import ACL, Id, OPEN_ACL_UNSAFE, Permissions, make_acl, make_digest_acl

from cluster import HOST, free_ports, until
from oracle import Oracle

BIN = None
DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/moving-from-zookeeper.md")
NODES = 3000
SEQUENTIAL = 5


def connect(hosts, **options):
    client = KazooClient(hosts=hosts, timeout=10, connection_retry=dict(max_tries=-1, max_delay=0.5),
                         command_retry=dict(max_tries=-1, max_delay=0.5), **options)
    client.start(timeout=30)
    return client


class Proxy:
    """Between an import and ZooKeeper: passes answers on up to a limit of bytes, then does what it was told."""

    def __init__(self, port):
        self.target, self.limit = port, None
        self.passed, self.reached, self.go_on = 0, threading.Event(), threading.Event()
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.cuts, self.lock = 0, threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self.target))
            threading.Thread(target=self.forward, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.forward, args=(server, client, True), daemon=True).start()

    def forward(self, source, sink, answers):
        try:
            while True:
                data = source.recv(16384)
                if not data:
                    break
                if answers and not self.passes(len(data)):
                    break
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()

    def passes(self, count):
        with self.lock:
            self.passed += count
            if self.limit is None or self.passed < self.limit:
                return True
        return self.at_limit()

    def at_limit(self):
        """Stands still until it is told to go on."""
        self.reached.set()
        self.go_on.wait()
        return True

    def close(self):
        self.go_on.set()
        self.listener.close()


class CuttingProxy(Proxy):
    """Cuts the connection at each so many bytes."""

    def at_limit(self):
        self.passed = 0
        self.cuts += 1
        return False


class EndingProxy(Proxy):
    """Cuts the connection, and takes no other."""

    def at_limit(self):
        # A blocked accept() would take one more.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        return False


def create_container(zk, path):
    """A request that kazoo 2.8 does not have."""
    from collections import namedtuple
    from kazoo.protocol.serialization import Create2
    from kazoo.protocol.serialization import write_buffer, write_string, int_struct

    class CreateContainer(namedtuple("CreateContainer", "path")):
        type = 19

        def serialize(self):
            b = bytearray(write_string(self.path))
            b.extend(write_buffer(b""))
            b.extend(int_struct.pack(1))
            b.extend(int_struct.pack(31) + write_string("world") + write_string("anyone"))
            b.extend(int_struct.pack(4))
            return b

        @classmethod
        def deserialize(cls, data, offset):
            return Create2.deserialize(data, offset)

    result = zk.handler.async_result()
    zk._call(CreateContainer(path), result)
    return result.get()


def populate(zk):
    zk.add_auth("digest", "super:secret")
    for i in range(3):
        zk.create("/app/config/%d" % i, b"value %d" % i, makepath=True)
    for i in range(4):
        zk.set("/app/config/0", b"version %d" % (i + 1))
    zk.set_acls("/app/config/1", OPEN_ACL_UNSAFE)
    acls = {"digest": [make_digest_acl("anna", "secret", all=True)],
            "ip": [make_acl("ip", "127.0.0.0/8", all=True)],
            "sasl": [make_acl("sasl", "bob", read=True, write=True)],
            "world": [make_acl("world", "anyone", read=True)],
            "several": [make_digest_acl("anna", "secret", read=True), make_acl("world", "anyone", read=True),
                        ACL(Permissions.ALL, Id("digest", "carl:" + base64.b64encode(b"x" * 20).decode()))]}
    zk.ensure_path("/acl")
    for name, acl in acls.items():
        zk.create("/acl/" + name, name.encode(), acl=acl)
        zk.create("/acl/" + name + "/below", acl=acl)
    zk.ensure_path("/many")
    for each in [zk.create_async("/many/%04d" % i, b"%d" % i * 50) for i in range(NODES)]:
        each.get()
    # A count of creates that only the Stat of the parent tells: some went, some are ephemeral.
    zk.ensure_path("/queue")
    for i in range(SEQUENTIAL):
        zk.create("/queue/item-", b"", sequence=True, ephemeral=i % 2 == 0)
    zk.delete("/queue/item-0000000001")
    both = zk.transaction()
    for name in "cab":
        both.create("/app/together-" + name)
    both.commit()
    create_container(zk, "/app/container")
    zk.create("/zookeeper/quota/app/zookeeper_limits", b"count=5000,bytes=-1=;byteHardLimit=-1;countHardLimit=6000",
              makepath=True)


def tree(zk, path="/"):
    """Each node that is not ephemeral: data, permissions and the part of its Stat that is to be the same."""
    found, paths = {}, [path]
    while paths:
        asked = [(each, zk.get_async(each), zk.get_acls_async(each), zk.get_children_async(each)) for each in paths]
        paths = []
        for each, get, acls, names in asked:
            data, stat = get.get()
            if stat.ephemeralOwner:
                continue
            creates = (stat.cversion + stat.numChildren) // 2
            found[each] = (data, acls.get()[0], stat.czxid, stat.mzxid, stat.ctime, stat.mtime, stat.version,
                           stat.aversion, creates)
            paths += [each.rstrip("/") + "/" + name for name in names.get()]
        paths = [each for each in paths if not each.startswith("/zookeeper")]
    return found


class Source:
    """The ensemble, one for all tests: what starts it takes longer than any of them."""

    def __init__(self):
        self.oracle = Oracle()
        self.folder = tempfile.mkdtemp(prefix="quorate-import-")
        self.address = "%s:%d" % (HOST, self.oracle.port)
        self.auth = os.path.join(self.folder, "super")
        with open(self.auth, "w") as file:
            file.write("super:secret\n")
        self.zk = connect(self.address)
        populate(self.zk)

    def stop(self):
        self.zk.stop()
        self.zk.close()
        self.oracle.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


SOURCE = None


def setUpModule():
    global SOURCE
    SOURCE = Source()
    unittest.addModuleCleanup(SOURCE.stop)


class Case(unittest.TestCase):
    def setUp(self):
        self.oracle, self.folder, self.source = SOURCE.oracle, SOURCE.folder, SOURCE.address
        self.auth, self.zk = SOURCE.auth, SOURCE.zk


class Imports(Case):
    def command(self, *arguments, timeout="10s", name=None):
        self.file = os.path.join(self.folder, name or self.id().split(".")[-1])
        return [os.path.join(BIN, "quorate"), "--request-timeout", timeout, "--json", "import", *arguments, self.file]

    def run_import(self, *arguments, code=0, **options):
        done = subprocess.run(self.command(*arguments, **options), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def proxy(self, kind, limit):
        proxy = kind(self.oracle.port)
        proxy.limit = limit
        self.addCleanup(proxy.close)
        return proxy, "%s:%d" % (HOST, proxy.port)

    def test_a_subtree(self):
        told = self.run_import("--zookeeper", self.source, "--path", "/app/config", "--auth-file", self.auth)
        self.assertEqual((told["nodes"], told["quotas"], told["left_out"]), (6, 0, []))
        same = self.run_import("--zookeeper", self.source, "--path", "/app/config", "--auth-file", self.auth, "--verify")
        self.assertEqual((same["same"], same["hash"], same["nodes"]), (True, told["hash"], 6))

    def test_what_may_not_be_read_is_named(self):
        told = self.run_import("--zookeeper", self.source, code=5)
        self.assertEqual({each["path"] for each in told["left_out"]}, {"/acl/digest", "/acl/sasl", "/acl/several"})
        self.assertTrue(os.path.exists(self.file))
        self.assertIn("exists already", self.run_import("--zookeeper", self.source, code=1))

    def test_refusals(self):
        nobody, = free_ports(1)
        for code, says, arguments in [
                (3, "no ZooKeeper server answers", ["--zookeeper", "%s:%d" % (HOST, nobody)]),
                (2, "HOST:PORT", ["--zookeeper", "nonsense"]),
                (2, "cannot read", []),
                (2, "--zookeeper", ["--verify"]),
                (1, "no node /none", ["--zookeeper", self.source, "--path", "/none"]),
                (2, "--path", ["--zookeeper", self.source, "--path", "none"]),
                (2, "no-such-file", ["--zookeeper", self.source, "--auth-file", "no-such-file"]),
                (1, "", ["--zookeeper", self.source, "--verify"])]:
            with self.subTest(arguments=arguments):
                self.assertIn(says, self.run_import(*arguments, code=code, timeout="300ms"))
                self.assertFalse(os.path.exists(self.file))

    def test_connections_that_break(self):
        proxy, address = self.proxy(CuttingProxy, 300000)
        told = self.run_import("--zookeeper", address, "--auth-file", self.auth)
        self.assertGreater(proxy.cuts, 2)
        self.assertEqual(self.run_import("--zookeeper", self.source, "--auth-file", self.auth, "--verify")["hash"],
                         told["hash"])

    def test_an_import_that_was_interrupted_goes_on(self):
        _, address = self.proxy(EndingProxy, 250000)
        self.assertIn("goes on from there",
                      self.run_import("--zookeeper", address, "--auth-file", self.auth, code=3, timeout="500ms"))
        proxy, address = self.proxy(Proxy, 250000)
        running = subprocess.Popen(self.command("--zookeeper", address, "--auth-file", self.auth),
                                   stderr=subprocess.PIPE, text=True)
        proxy.reached.wait(30)
        running.send_signal(signal.SIGTERM)
        self.assertIn("goes on from there", running.communicate(timeout=30)[1])
        self.assertEqual(running.returncode, 128 + signal.SIGTERM)
        kept = self.file + ".import"
        with open(kept, "ab") as journal:
            journal.write(b"torn")
        self.assertIn("remove it", self.run_import("--zookeeper", self.source, "--path", "/app", code=1))
        told = self.run_import("--zookeeper", self.source, "--auth-file", self.auth)
        self.assertGreater(told["resumed"], 500)
        self.assertLess(told["resumed"], told["nodes"])
        self.assertFalse(os.path.exists(kept))

    def test_writers_that_were_not_stopped(self):
        for write in (lambda: self.zk.set("/many/0001", b"other"), lambda: self.zk.create("/app/late"),
                      lambda: self.zk.delete("/app/late")):
            proxy, address = self.proxy(Proxy, 250000)
            running = subprocess.Popen(self.command("--zookeeper", address, "--auth-file", self.auth),
                                       stderr=subprocess.PIPE, text=True)
            proxy.reached.wait(30)
            write()
            proxy.limit = None
            proxy.go_on.set()
            said = running.communicate(timeout=30)[1]
            # What was deleted before it was read has never been there.
            if running.returncode == 0:
                self.assertFalse(self.zk.exists("/app/late"))
                os.remove(self.file)
                continue
            self.assertEqual(running.returncode, 1, said)
            self.assertIn("stop whoever writes", said)
            self.assertFalse(os.path.exists(self.file) or os.path.exists(self.file + ".import"))


class ThePage(Case):
    """Its commands, in its order. They end the ensemble, so this comes last (by name)."""

    def commands(self):
        with open(DOC) as page:
            blocks = re.findall(r"```sh\n(.*?)```", page.read(), re.S)
        return [line for block in blocks for line in block.splitlines() if line]

    def replaced(self, line):
        identity = re.search(r"--id (\d)", line)
        words = {"old1:2181,old2:2181,old3:2181": self.source, "old1:2181": self.source,
                 "/etc/quorate/old-super": self.auth, "/etc/quorate/super": self.auth,
                 "/backup/from-zookeeper": os.path.join(self.folder, "from-zookeeper"),
                 "/var/lib/quorate": os.path.join(self.folder, identity.group(1) if identity else "none"),
                 "$SUPER_DIGEST": "super:" + base64.b64encode(hashlib.sha1(b"super:secret").digest()).decode(),
                 "$CLUSTER_ID": getattr(self, "cluster_id", "unknown")}
        for i in (1, 2, 3):
            words["new%d:7001" % i] = "%s:%d" % (HOST, self.peers[i - 1])
            words["new%d:2181" % i] = "%s:%d" % (HOST, self.ports[i - 1])
        for word, value in words.items():
            line = line.replace(word, value)
        return shlex.split(line)

    def perform(self, line):
        words = self.replaced(line)
        if words == ["systemctl", "stop", "zookeeper"]:
            self.oracle.process.kill()
            self.oracle.process.wait()
        elif words[0] == "quorated":
            with open(os.path.join(self.folder, "log"), "ab") as log:
                server = subprocess.Popen([os.path.join(BIN, "quorated")] + words[1:], stdout=log, stderr=log)
            self.addCleanup(server.wait)
            self.addCleanup(server.kill)
        else:
            self.assertEqual(words[0], "quorate")
            if "cluster" in words:
                until(lambda: subprocess.run([os.path.join(BIN, "quorate")] + words[1:], capture_output=True)
                      .returncode == 0, "a leader")
            done = subprocess.run([os.path.join(BIN, "quorate")] + words[1:], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, line + ": " + done.stderr + done.stdout)
            identity = re.search(r"cluster id (\S+)", done.stdout)
            if identity:
                self.cluster_id = identity.group(1)
        return words

    def test_moving(self):
        # The first server takes over the old one's address; the others stand in the clients' lists already.
        self.peers, self.ports = free_ports(3), [self.oracle.port] + free_ports(2)
        addresses = ",".join("%s:%d" % (HOST, port) for port in self.ports)
        left_running = connect(addresses, randomize_hosts=False, auth_data=[("digest", "anna:secret")])
        self.addCleanup(left_running.close)
        self.addCleanup(left_running.stop)
        states, seen, mine = [], [], "/queue/mine"
        left_running.add_listener(states.append)
        left_running.DataWatch("/app/config/0", lambda data, stat: seen.append(data))
        left_running.create(mine, ephemeral=True)
        _, version = left_running.get("/app/config/0")
        before = tree(self.zk)
        # What the page says of containers: ZooKeeper does not tell them apart.
        self.assertEqual(self.zk.exists("/app/container").ephemeralOwner, 0)
        last = max(max(node[2], node[3]) for node in before.values())
        self.assertEqual(before["/queue"][-1], SEQUENTIAL + 1)
        stopped = False
        for line in self.commands():
            if line.startswith("systemctl"):
                self.zk.stop()
                stopped = True
            self.perform(line)
        self.assertTrue(stopped)

        until(lambda: states[-1:] == [KazooState.CONNECTED], "the client that was left running is back")
        self.assertIn(KazooState.LOST, states)
        self.assertIsNone(left_running.exists(mine))
        self.assertEqual(left_running.create("/queue/item-", sequence=True),
                         "/queue/item-%010d" % (SEQUENTIAL + 1))
        after = left_running.set("/app/config/0", b"on Quorate", version=version.version)
        self.assertEqual(after.version, version.version + 1)
        self.assertGreater(after.mzxid, last)
        until(lambda: seen[-1] == b"on Quorate", "its watch")
        self.assertRaises(BadVersionError, left_running.set, "/app/config/0", b"", version.version)
        self.assertEqual(left_running.get("/acl/digest")[0], b"digest")
        stranger = connect(addresses)
        self.addCleanup(stranger.close)
        self.addCleanup(stranger.stop)
        for path in ("/acl/digest", "/acl/sasl", "/acl/several"):
            self.assertRaises(NoAuthError, stranger.set, path, b"")
        stranger.set("/acl/ip", b"from here")

        stranger.add_auth("digest", "super:secret")
        now = tree(stranger)
        changed = {"/app/config/0", "/acl/ip", "/queue"}
        self.assertEqual(set(now) - set(before), {"/queue/item-%010d" % (SEQUENTIAL + 1)})
        self.assertEqual([path for path in before if path not in changed and before[path] != now[path]], [])
        token = subprocess.run([os.path.join(BIN, "quorate"), "--endpoints", addresses, "lock", "run", "/lock", "--",
                                "sh", "-c", "echo $QUORATE_LOCK_TOKEN"], capture_output=True, text=True, timeout=30)
        self.assertGreater(int(token.stdout), last)
        quota = subprocess.run([os.path.join(BIN, "quorate"), "--endpoints", addresses, "--json", "quota", "show", "/app"],
                               capture_output=True, text=True, timeout=30)
        self.assertEqual([json.loads(quota.stdout)["count"][kind] for kind in ("soft", "hard")], [5000, 6000])


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
