"""kazoo, unmodified, against three quorated: its operations and each of its recipes, and a leader that is killed
in the middle. Usage: kazoo_test.py PATH-OF-QUORATED [unittest's arguments]"""

import logging
import os
import sys
import tempfile
import threading
import unittest

from kazoo.client import KazooClient
from kazoo.exceptions import (AuthFailedError, BadArgumentsError, BadVersionError, InvalidACLError, NoAuthError,
                              NoChildrenForEphemeralsError, NodeExistsError, NoNodeError, NotEmptyError, NotReadOnlyCallError,
                              RolledBackError, RuntimeInconsistency)
from kazoo.protocol.states import EventType, KazooState, KeeperState
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.security import make_digest_acl, make_acl, OPEN_ACL_UNSAFE

from cluster import Cluster, until

QUORATED = None
ATTEMPTS = dict(connection_retry=dict(max_tries=-1, max_delay=0.5), command_retry=dict(max_tries=-1, max_delay=0.5))


class KazooCase(unittest.TestCase):
    FLAGS = ()

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(QUORATED, flags=cls.FLAGS)
        cls.addClassCleanup(cls.cluster.stop)

    def client(self, server=None, **options):
        hosts = self.cluster.address(server) if server else self.cluster.addresses()
        client = KazooClient(hosts=hosts, timeout=10, **{**ATTEMPTS, **options})
        client.start(timeout=30)
        self.addCleanup(client.close)
        self.addCleanup(client.stop)
        return client

    def catch_up(self):
        """What other clients wrote is seen by self.zk's reads from here on: its server may be behind theirs."""
        self.zk.sync("/")

    def setUp(self):
        self.zk = self.client()
        # A place of its own for each test.
        self.root = "/" + self.id().split(".")[-1]
        self.zk.ensure_path(self.root)


class Operations(KazooCase):
    def test_a_node_and_its_stat(self):
        path = self.root + "/a"
        self.assertEqual(self.zk.create(path, b"one"), path)
        data, stat = self.zk.get(path)
        self.assertEqual((data, stat.version, stat.dataLength, stat.czxid), (b"one", 0, 3, stat.mzxid))
        after = self.zk.set(path, b"two!")
        self.assertEqual((after.version, after.dataLength, after.czxid), (1, 4, stat.czxid))
        self.assertGreater(after.mzxid, stat.mzxid)
        self.zk.delete(path, version=1)
        self.assertIsNone(self.zk.exists(path))

    def test_create_with_its_stat(self):
        path, stat = self.zk.create(self.root + "/s-", b"x", sequence=True, ephemeral=True, include_data=True)
        self.assertEqual(path, self.root + "/s-0000000000")
        self.assertEqual(stat.ephemeralOwner, self.zk.client_id[0])
        self.assertEqual(self.zk.exists(path), stat)

    def test_sequences_count_creates(self):
        for name in ("a", "b"):
            self.zk.create(self.root + "/" + name)
        self.zk.delete(self.root + "/a")
        self.assertEqual(self.zk.create(self.root + "/q-", sequence=True), self.root + "/q-0000000002")
        stat = self.zk.exists(self.root)
        self.assertEqual((stat.cversion, stat.numChildren), (4, 2))

    def test_children_with_stat(self):
        self.zk.create(self.root + "/a")
        self.zk.create(self.root + "/b")
        names, stat = self.zk.get_children(self.root, include_data=True)
        self.assertEqual((sorted(names), stat.numChildren), (["a", "b"], 2))

    def test_errors(self):
        zk, root = self.zk, self.root
        zk.create(root + "/a/b", makepath=True)
        zk.create(root + "/e", ephemeral=True)
        cases = [(NoNodeError, zk.get, root + "/none"), (NoNodeError, zk.set, root + "/none", b""),
                 (NoNodeError, zk.delete, root + "/none"), (NoNodeError, zk.get_children, root + "/none"),
                 (NoNodeError, zk.create, root + "/none/x"), (NodeExistsError, zk.create, root + "/a"),
                 (NotEmptyError, zk.delete, root + "/a"), (BadVersionError, zk.set, root + "/a", b"", 7),
                 (BadVersionError, zk.delete, root + "/a/b", 7), (BadArgumentsError, zk.delete, "/"),
                 (NoChildrenForEphemeralsError, zk.create, root + "/e/x"),
                 (BadArgumentsError, zk.delete, "/zookeeper"), (NodeExistsError, zk.create, "/zookeeper/quota")]
        for error, call, *arguments in cases:
            with self.subTest(call=call.__name__, arguments=arguments):
                self.assertRaises(error, call, *arguments)

    def test_nodes_of_zookeeper_itself(self):
        self.assertIn("zookeeper", self.zk.get_children("/"))
        self.assertEqual(sorted(self.zk.get_children("/zookeeper")), ["config", "quota"])
        data, _ = self.zk.get("/zookeeper/config")
        self.assertEqual(sum(line.startswith(b"server.") for line in data.splitlines()), 3)

    def test_sync_and_pipelined_requests_in_order(self):
        answers = [self.zk.create_async(self.root + "/n%d" % i, b"%d" % i) for i in range(100)]
        reads = [self.zk.get_async(self.root + "/n%d" % i) for i in range(100)]
        self.assertEqual(self.zk.sync(self.root), self.root)
        self.assertEqual([a.get() for a in answers], [self.root + "/n%d" % i for i in range(100)])
        self.assertEqual([r.get()[0] for r in reads], [b"%d" % i for i in range(100)])

    def test_a_read_sees_its_own_write_and_no_later_one(self):
        self.zk.create(self.root + "/x", b"0")
        reads = []
        for i in range(1, 101):
            self.zk.set_async(self.root + "/x", b"%d" % i)
            reads.append(self.zk.get_async(self.root + "/x"))
        self.assertEqual([r.get()[0] for r in reads], [b"%d" % i for i in range(1, 101)])

    def test_large_data(self):
        data = b"x" * (1000 * 1000)
        self.zk.create(self.root + "/large", data)
        self.assertEqual(self.zk.get(self.root + "/large")[0], data)

    def test_transactions(self):
        root = self.root
        done = self.zk.transaction()
        done.create(root + "/a", b"1")
        done.set_data(root + "/a", b"2")
        done.check(root + "/a", version=1)
        done.create(root + "/b")
        done.delete(root + "/b")
        results = done.commit()
        self.assertEqual((results[0], results[1].version, results[2:]), (root + "/a", 1, [True, root + "/b", True]))
        refused = self.zk.transaction()
        refused.create(root + "/c")
        refused.check(root + "/a", version=9)
        refused.delete(root + "/a")
        self.assertEqual([type(r) for r in refused.commit()], [RolledBackError, BadVersionError, RuntimeInconsistency])
        self.assertIsNone(self.zk.exists(root + "/c"))

    def test_permissions(self):
        zk, path = self.zk, self.root + "/mine"
        zk.add_auth("digest", "anna:secret")
        zk.create(path, b"x", acl=[make_digest_acl("anna", "secret", all=True)])
        other = self.client()
        self.assertRaises(NoAuthError, other.get, path)
        self.assertRaises(NoAuthError, other.set, path, b"")
        self.assertRaises(NoAuthError, other.set_acls, path, OPEN_ACL_UNSAFE)
        other.add_auth("digest", "anna:secret")
        self.assertEqual(other.get(path)[0], b"x")
        acls, stat = zk.get_acls(path)
        self.assertEqual((acls, stat.aversion), ([make_digest_acl("anna", "secret", all=True)], 0))
        self.assertEqual(zk.set_acls(path, OPEN_ACL_UNSAFE).aversion, 1)
        self.assertRaises(InvalidACLError, zk.create, self.root + "/bad", acl=[make_acl("nobody", "x", read=True)])
        self.assertRaises(AuthFailedError, self.client().add_auth, "what", "ever")

    def test_the_version_that_kazoo_reads(self):
        self.assertGreaterEqual(self.zk.server_version(), (3, 8, 0))
        self.assertEqual(self.zk.command(b"ruok"), "imok")


class Watches(KazooCase):
    def test_one_shot_watches(self):
        zk, root, events = self.zk, self.root, []
        zk.create(root + "/a")
        zk.get(root + "/a", watch=events.append)
        zk.get_children(root, watch=events.append)
        zk.exists(root + "/b", watch=events.append)
        zk.set(root + "/a", b"1")
        zk.set(root + "/a", b"2")
        zk.create(root + "/b")
        until(lambda: len(events) == 3, "three events")
        self.assertEqual([(e.type, e.path) for e in events],
                         [(EventType.CHANGED, root + "/a"), (EventType.CREATED, root + "/b"), (EventType.CHILD, root)])

    def test_a_deletion_is_told_once(self):
        zk, root, events = self.zk, self.root, []
        zk.create(root + "/a")
        zk.get(root + "/a", watch=events.append)
        zk.get_children(root + "/a", watch=events.append)
        zk.delete(root + "/a")
        zk.sync(root)
        until(lambda: len(events) == 2, "the deletion, by both watches of the client")
        self.assertEqual({(e.type, e.path) for e in events}, {(EventType.DELETED, root + "/a")})

    def test_data_watch_and_children_watch(self):
        seen, names = [], []
        self.zk.create(self.root + "/d", b"0")
        self.zk.DataWatch(self.root + "/d", lambda data, stat: seen.append(data))
        self.zk.ChildrenWatch(self.root, lambda children: names.append(sorted(children)))
        other = self.client()
        for i in range(1, 4):
            other.set(self.root + "/d", b"%d" % i)
            until(lambda: seen[-1] == b"%d" % i, "the data watch")
        other.create(self.root + "/e")
        until(lambda: names[-1] == ["d", "e"], "the children watch")
        other.delete(self.root + "/d")
        until(lambda: seen[-1] is None, "the end of the node")

    def test_tree_cache(self):
        events = []
        cache = TreeCache(self.zk, self.root)
        cache.listen(events.append)
        cache.start()
        self.addCleanup(cache.close)
        until(lambda: any(e.event_type == TreeEvent.INITIALIZED for e in events), "the cache is there")
        self.zk.create(self.root + "/a/b", b"x", makepath=True)
        until(lambda: cache.get_data(self.root + "/a/b") is not None, "the node is in the cache")
        self.zk.delete(self.root + "/a", recursive=True)
        until(lambda: cache.get_data(self.root + "/a") is None, "the node has left the cache")


class Recipes(KazooCase):
    def test_lock(self):
        holders, order = [0], []

        def work(name):
            zk = self.client()
            for _ in range(5):
                with zk.Lock(self.root + "/lock", name):
                    holders[0] += 1
                    order.append((holders[0], name))
                    holders[0] -= 1
        threads = [threading.Thread(target=work, args=("w%d" % i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual([held for held, _ in order], [1] * 20)

    def test_read_and_write_locks(self):
        zk, other = self.zk, self.client()
        reader, second = zk.ReadLock(self.root + "/rw"), other.ReadLock(self.root + "/rw")
        writer = other.WriteLock(self.root + "/rw")
        self.assertTrue(reader.acquire(timeout=10) and second.acquire(timeout=10))
        second.release()
        self.assertFalse(writer.acquire(blocking=False))
        reader.release()
        self.assertTrue(writer.acquire(timeout=10))
        self.assertFalse(zk.ReadLock(self.root + "/rw").acquire(blocking=False))
        writer.release()

    def test_semaphore(self):
        zk, other = self.zk, self.client()
        first, second = zk.Semaphore(self.root + "/s", max_leases=2), other.Semaphore(self.root + "/s", max_leases=2)
        third = other.Semaphore(self.root + "/s", max_leases=2)
        self.assertTrue(first.acquire(timeout=10) and second.acquire(timeout=10))
        self.assertFalse(third.acquire(blocking=False))
        first.release()
        self.assertTrue(third.acquire(timeout=10))

    def test_barrier(self):
        barrier = self.zk.Barrier(self.root + "/b")
        barrier.create()
        self.assertFalse(self.client().Barrier(self.root + "/b").wait(0.2))
        barrier.remove()
        self.assertTrue(self.client().Barrier(self.root + "/b").wait(10))

    def test_double_barrier(self):
        left = []

        def work():
            barrier = self.client().DoubleBarrier(self.root + "/b", 3)
            barrier.enter()
            barrier.leave()
            left.append(1)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(left, [1] * 3)

    def test_queues(self):
        queue = self.zk.Queue(self.root + "/q")
        for value in (b"one", b"two", b"three"):
            queue.put(value)
        urgent = b"urgent"
        queue.put(urgent, priority=1)
        self.assertEqual([queue.get() for _ in range(5)], [urgent, b"one", b"two", b"three", None])
        locking = self.zk.LockingQueue(self.root + "/lq")
        locking.put_all([b"a", b"b"])
        self.assertEqual(locking.get(10), b"a")
        self.assertTrue(locking.consume())
        self.assertEqual(locking.get(10), b"b")

    def test_election(self):
        led = []

        def lead(name):
            led.append(name)
        threads = [threading.Thread(target=self.client().Election(self.root + "/e", "c%d" % i).run,
                                    args=(lead, "c%d" % i)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(sorted(led), ["c0", "c1", "c2"])

    def test_party(self):
        clients = [self.client() for _ in range(3)]
        parties = [zk.Party(self.root + "/p", "m%d" % i) for i, zk in enumerate(clients)]
        for party in parties:
            party.join()
        clients[0].sync("/")
        self.assertEqual(sorted(parties[0]), ["m0", "m1", "m2"])
        parties[1].leave()
        clients[2].stop()
        until(lambda: sorted(parties[0]) == ["m0"], "those who left are gone")

    def test_counter(self):
        def work():
            counter = self.client().Counter(self.root + "/n")
            for _ in range(20):
                counter += 1
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.catch_up()
        self.assertEqual(self.zk.Counter(self.root + "/n").value, 60)

    def test_partitioner(self):
        clients = [self.client() for _ in range(2)]
        partitioners = [zk.SetPartitioner(self.root + "/set", set=("a", "b", "c", "d"), time_boundary=0.2,
                                          identifier="p%d" % i) for i, zk in enumerate(clients)]
        shares = {}

        def settle():
            for i, partitioner in enumerate(partitioners):
                if partitioner.release:
                    partitioner.release_set()
                if partitioner.acquired:
                    shares[i] = sorted(partitioner)
                else:
                    shares.pop(i, None)
            return len(shares) == 2 and sorted(shares[0] + shares[1]) == ["a", "b", "c", "d"]
        until(settle, "both have their share")
        for partitioner in partitioners:
            partitioner.finish()


class Sessions(KazooCase):
    def test_ephemerals_go_with_their_session(self):
        other = self.client()
        other.create(self.root + "/e", ephemeral=True)
        other.stop()
        self.catch_up()
        self.assertIsNone(self.zk.exists(self.root + "/e"))

    def test_a_session_moves_to_another_server(self):
        zk = self.client(server=1)
        zk.create(self.root + "/e", ephemeral=True)
        session = zk.client_id
        moved = KazooClient(hosts=self.cluster.address(2), timeout=10, client_id=session, **ATTEMPTS)
        moved.start(timeout=30)
        self.addCleanup(moved.stop)
        # The first client takes the session back as soon as it has lost it, so each request may need another try.
        self.assertEqual(moved.retry(moved.get, self.root + "/e")[1].ephemeralOwner, session[0])

    def test_a_wrong_password_gets_a_new_session(self):
        stranger = KazooClient(hosts=self.cluster.addresses(), client_id=(self.zk.client_id[0], b"x" * 16))
        stranger.start(timeout=30)
        self.addCleanup(stranger.stop)
        self.assertNotEqual(stranger.client_id[0], self.zk.client_id[0])


class Words(KazooCase):
    """Four-letter words: what stands in their texts is tests/server/four_letter_words_test.cc's to say."""
    FLAGS = ("--four-letter-words", "*")

    def test_every_word_has_an_answer(self):
        words = ("conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "isro", "mntr", "ruok", "srst", "srvr", "stat",
                 "wchc", "wchp", "wchs")
        for server in self.cluster.ids():
            for word in words:
                with self.subTest(server=server, word=word):
                    answer = self.cluster.word(server, word)
                    self.assertTrue(answer)
                    self.assertNotIn("not", answer)

    def test_a_client_is_seen_by_them(self):
        zk = self.client(server=2)
        zk.create(self.root + "/e", ephemeral=True)
        zk.exists(self.root + "/watched", watch=print)
        session = "0x%x" % zk.client_id[0]
        cons = [line for line in self.cluster.word(2, "cons").splitlines() if "sid=" + session in line]
        self.assertEqual(len(cons), 1)
        self.assertIn(",lop=EXIS,", cons[0])
        self.assertIn(",to=10000,", cons[0])
        self.assertIn("%s\n\t%s/watched\n" % (session, self.root), self.cluster.word(2, "wchc"))
        self.assertIn("%s/watched\n\t%s\n" % (self.root, session), self.cluster.word(2, "wchp"))
        until(lambda: "%s:\n\t%s/e\n" % (session, self.root) in self.cluster.word(1, "dump"), "another server's dump")
        address = cons[0].split("[")[0].strip()
        self.assertIn(address, self.cluster.word(2, "stat"))
        self.assertNotIn(address, self.cluster.word(1, "stat"))

    def test_counts_begin_anew(self):
        self.zk.get_children("/")
        for server in self.cluster.ids():
            self.cluster.word(server, "srst")
            text = self.cluster.word(server, "srvr")
            self.assertIn("Latency min/avg/max: 0/0.0/0\n", text)
            self.assertIn("Received: 1\n", text)


def sasl_users():
    file = tempfile.NamedTemporaryFile("w", prefix="quorate-sasl-users-", delete=False)
    with file:
        file.write("# for tests\nanna:secret\nben:other\n")
    unittest.addModuleCleanup(os.unlink, file.name)
    return file.name


class Sasl(KazooCase):
    @classmethod
    def setUpClass(cls):
        cls.FLAGS = ("--sasl-users", sasl_users())
        super().setUpClass()

    def as_user(self, name, password, **options):
        return self.client(sasl_options=dict(mechanism="DIGEST-MD5", username=name, password=password), **options)

    def test_a_user_has_what_is_the_user_s(self):
        anna, ben = self.as_user("anna", "secret"), self.as_user("ben", "other")
        path = self.root + "/anna"
        anna.create(path, b"x", acl=[make_acl("sasl", "anna", all=True)])
        self.assertEqual(anna.get(path)[0], b"x")
        for other in (self.zk, ben):
            self.assertRaises(NoAuthError, other.get, path)
        self.assertEqual(self.as_user("anna", "secret", server=3).get(path)[0], b"x")

    def test_all_who_are_known_by_auth(self):
        anna = self.as_user("anna", "secret")
        anna.create(self.root + "/a", acl=[make_acl("auth", "", all=True)])
        self.assertEqual(anna.get_acls(self.root + "/a")[0], [make_acl("sasl", "anna", all=True)])

    def test_a_wrong_password_is_refused(self):
        for name, password in (("anna", "wrong"), ("nobody", "secret")):
            client = KazooClient(hosts=self.cluster.addresses(),
                                 sasl_options=dict(mechanism="DIGEST-MD5", username=name, password=password))
            self.addCleanup(client.close)
            self.addCleanup(client.stop)
            states = []
            client.add_listener(lambda _, states=states, client=client: states.append(client.client_state))
            # Not start(): that asks whether the connection is open once it was, and the refusal may have ended it.
            client.start_async()
            until(lambda: KeeperState.AUTH_FAILED in states, "%s is refused" % name)

    def test_it_is_proved_again_after_a_reconnect(self):
        anna = self.as_user("anna", "secret")
        anna.create(self.root + "/a", b"x", acl=[make_acl("sasl", "anna", all=True)])
        connected = threading.Event()
        anna.add_listener(lambda state: connected.set() if state == KazooState.CONNECTED else None)
        self.cluster.kill(self.cluster.leader())
        self.assertEqual(anna.retry(anna.get, self.root + "/a")[0], b"x")
        for server in self.cluster.ids():
            if server not in self.cluster.processes:
                self.cluster.start(server)


class ReadOnly(KazooCase):
    FLAGS = ("--read-only-mode", "on")

    def test_a_server_alone_is_read(self):
        self.zk.set(self.root, b"before")
        self.zk.sync(self.root)
        survivor = self.cluster.leader()
        reader = self.client(server=survivor, read_only=True)
        states = []
        reader.add_listener(lambda _: states.append(reader.client_state))
        for server in self.cluster.ids():
            if server != survivor:
                self.cluster.kill(server)
        until(lambda: KeeperState.CONNECTED_RO in states, "read-only")
        self.assertEqual(self.cluster.word(survivor, "isro"), "ro")
        self.assertIn("Mode: read-only\n", self.cluster.word(survivor, "srvr"))
        self.assertEqual(reader.get(self.root)[0], b"before")
        self.assertRaises(NotReadOnlyCallError, reader.set, self.root, b"after")
        for server in self.cluster.ids():
            if server != survivor:
                self.cluster.start(server)
        until(lambda: reader.client_state == KeeperState.CONNECTED, "read-write again")
        reader.retry(reader.set, self.root, b"after")
        self.assertEqual(self.cluster.word(survivor, "isro"), "rw")


class Failover(KazooCase):
    """A leader dies in the middle; the servers are started again between the tests."""

    def setUp(self):
        for server in self.cluster.ids():
            if server not in self.cluster.processes:
                self.cluster.start(server)
        super().setUp()

    def test_writes_go_on_and_sessions_stay(self):
        states = []
        self.zk.add_listener(states.append)
        self.zk.create(self.root + "/e", ephemeral=True)
        session = self.zk.client_id[0]
        for i in range(200):
            if i == 100:
                self.cluster.kill(self.cluster.leader())
            self.zk.retry(self.zk.set, self.root, b"%d" % i)
        self.assertEqual(self.zk.retry(self.zk.get, self.root)[0], b"199")
        self.assertEqual(self.zk.client_id[0], session)
        self.assertIsNotNone(self.zk.retry(self.zk.exists, self.root + "/e"))
        self.assertNotIn(KazooState.LOST, states)

    def test_a_follower_s_client_sees_each_write_once(self):
        leader = self.cluster.leader()
        follower = next(i for i in self.cluster.ids() if i != leader)
        zk = self.client(server=follower)
        creates = []
        for i in range(300):
            creates.append(zk.create_async(self.root + "/s-", b"%d" % i, sequence=True))
            if i == 150:
                self.cluster.kill(leader)
        paths = [create.get(timeout=30) for create in creates]
        # Its connection never broke, so each was made once, in the order in which it was asked for.
        self.assertEqual(paths, [self.root + "/s-%010d" % i for i in range(300)])
        self.assertEqual(len(zk.get_children(self.root)), 300)

    def test_a_lock_is_held_across_it(self):
        holder, waiter = self.client(), self.client()
        lock = holder.Lock(self.root + "/lock", "holder")
        self.assertTrue(lock.acquire(timeout=10))
        got = threading.Event()

        def wait():
            with waiter.Lock(self.root + "/lock", "waiter"):
                got.set()
        thread = threading.Thread(target=wait)
        thread.start()
        self.cluster.kill(self.cluster.leader())
        self.assertIsNotNone(self.zk.retry(self.zk.exists, self.root + "/lock"))
        self.assertFalse(got.is_set())
        lock.release()
        self.assertTrue(got.wait(30))
        thread.join(30)


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    QUORATED = sys.argv.pop(1)
    unittest.main(verbosity=2)
