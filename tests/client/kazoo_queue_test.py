"""kazoo's locks behind every kind of native place in one queue, and beside native places that it does not see.
Usage: kazoo_queue_test.py FOLDER-OF-THE-PROGRAMS. Each step prints a line."""

import json
import os
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "zookeeper"))

PROGRAMS = None


class KazooQueue(unittest.TestCase):
    def start(self, *flags):
        from cluster import Cluster
        from kazoo.client import KazooClient
        self.cluster = Cluster(os.path.join(PROGRAMS, "quorated"), flags=flags)
        self.addCleanup(self.cluster.stop)
        self.cluster.leader()
        self.kazoo = KazooClient(hosts=self.cluster.addresses(), timeout=20)
        self.kazoo.start(timeout=30)
        self.addCleanup(self.kazoo.close)
        self.addCleanup(self.kazoo.stop)

    def quorate(self, *words):
        return [os.path.join(PROGRAMS, "quorate"), "--endpoints", self.cluster.addresses(), *words]

    def show(self, path):
        shown = subprocess.run(self.quorate("--json", "lock", "show", path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
        return json.loads(shown.stdout) if shown.stdout else None

    def until_queue(self, path, places):
        """The lock, once so many hold it or wait for it."""
        from cluster import until
        def look():
            lock = self.show(path)
            if lock and bool(lock["holder"]) + len(lock["sharing"]) + len(lock["waiters"]) == places:
                return lock
            return None
        return until(look, "%d places at %s" % (places, path))

    def spawn(self, command):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        def end():
            process.stdin.close()
            process.stdout.close()
            if process.poll() is None:
                process.kill()
            process.wait()
        self.addCleanup(end)
        return process

    def lock_run(self, path, *options, session="20s"):
        """A native holder; it lets go when its standard input ends."""
        return self.spawn(self.quorate("--session-timeout", session, "lock", "run", *options, path, "--", "sh", "-c",
                                       "echo held; cat >/dev/null"))

    def behind_kazoo(self, path, command):
        """A native place under a name of kazoo's, which holds now."""
        from cluster import until
        first = self.kazoo.Lock(path, "first")
        first.acquire()
        process = command()
        lock = self.until_queue(path, 2)
        self.assertIn("__lock__", lock["waiters"][0]["node"])
        first.release()
        until(lambda: (self.show(path)["holder"] or {}).get("node") == lock["waiters"][0]["node"], "the native one holds")
        return process, lock["waiters"][0]["node"]

    def waiter(self, path):
        """kazoo's, in the queue."""
        lock = self.kazoo.Lock(path, "second")
        thread = threading.Thread(target=lock.acquire, daemon=True)
        thread.start()
        return lock, thread

    def served(self, waiter):
        from cluster import until
        lock, thread = waiter
        until(lambda: lock.is_acquired, "kazoo's waiter has it")
        thread.join()
        lock.release()

    def test_kazoo_waits_for_every_kind_of_native_place(self):
        self.start()
        for name, command in {
            "shared": lambda path: self.lock_run(path, "--shared"),
            "delay": lambda path: self.lock_run(path, "--delay", "1h"),
            "downgraded": lambda path: self.spawn([os.path.join(PROGRAMS, "..", "tests", "client", "downgraded_lock"),
                                                   self.cluster.address(1), path]),
        }.items():
            path = "/jobs/" + name
            native, node = self.behind_kazoo(path, lambda: command(path))
            self.assertTrue(native.stdout.readline())
            waiter = self.waiter(path)
            lock = self.until_queue(path, 2)
            self.assertEqual(lock["holder"]["node"], node)
            self.assertEqual(lock["holder"]["mode"], "exclusive" if name == "delay" else "shared")
            self.assertFalse(lock["mixed"])
            self.assertFalse(waiter[0].is_acquired)
            native.stdin.close()
            self.assertEqual(native.wait(60), 0)
            self.served(waiter)
            print("PASS kazoo waits for a native place: " + name, flush=True)

    def test_kazoo_waits_for_a_place_that_is_kept(self):
        self.start()
        from cluster import until
        path = "/jobs/kept"
        native, node = self.behind_kazoo(path, lambda: self.lock_run(path, "--delay", "1h", session="2s"))
        self.assertTrue(native.stdout.readline())
        native.kill()
        native.wait()
        until(lambda: self.show(path)["kept"] == 1, "its place is kept")
        waiter = self.waiter(path)
        lock = self.until_queue(path, 1)
        self.assertIsNone(lock["holder"])
        # A native one takes a name that kazoo's clients count, though it is the kept place alone that tells.
        second = self.lock_run(path)
        lock = self.until_queue(path, 2)
        self.assertIn("__lock__", lock["waiters"][1]["node"])
        self.assertFalse(waiter[0].is_acquired)
        self.kazoo.delete(node)
        self.served(waiter)
        self.assertTrue(second.stdout.readline())
        second.stdin.close()
        self.assertEqual(second.wait(60), 0)
        print("PASS kazoo waits for a place that is kept", flush=True)

    def test_kazoo_is_refused_beside_names_that_it_does_not_see(self):
        self.start("--mixed-locks", "refuse")
        from kazoo.exceptions import BadArgumentsError
        native = self.lock_run("/jobs/nightly")
        self.assertTrue(native.stdout.readline())
        for make in [self.kazoo.Lock, self.kazoo.ReadLock, self.kazoo.WriteLock]:
            with self.assertRaises(BadArgumentsError):
                make("/jobs/nightly", "kazoo").acquire()
        with self.assertRaises(BadArgumentsError):
            self.kazoo.create("/jobs/nightly/x-", ephemeral=True, sequence=True)
        self.assertEqual(self.kazoo.get_children("/jobs/nightly"), ["lock-0000000000"])
        native.stdin.close()
        self.assertEqual(native.wait(60), 0)
        # Its own recipes are one: readers, and behind them a writer.
        readers = [self.kazoo.ReadLock("/jobs/nightly", "reader") for _ in range(2)]
        for reader in readers:
            self.assertTrue(reader.acquire(timeout=30))
        writer = self.kazoo.WriteLock("/jobs/nightly", "writer")
        self.assertFalse(writer.acquire(blocking=False))
        lock = self.show("/jobs/nightly")
        self.assertFalse(lock["mixed"])
        self.assertEqual([lock["holder"]["mode"], *[each["mode"] for each in lock["sharing"]]], ["shared", "shared"])
        # And a native one waits for all of the readers.
        native = self.lock_run("/jobs/nightly")
        self.assertIn("__lock__", self.until_queue("/jobs/nightly", 3)["waiters"][0]["node"])
        readers[0].release()
        self.assertEqual(len(self.until_queue("/jobs/nightly", 2)["waiters"]), 1)
        readers[1].release()
        self.assertTrue(native.stdout.readline())
        self.assertFalse(self.kazoo.ReadLock("/jobs/nightly", "late").acquire(blocking=False))
        native.stdin.close()
        self.assertEqual(native.wait(60), 0)
        print("PASS kazoo is refused beside names that it does not see", flush=True)

    def test_by_default_kazoo_takes_the_lock_beside_names_that_it_does_not_see(self):
        """What the warning of docs/locks.md is about, and a way around it."""
        self.start()
        native = self.lock_run("/jobs/nightly")
        self.assertTrue(native.stdout.readline())
        lock = self.kazoo.Lock("/jobs/nightly", "kazoo")
        self.assertTrue(lock.acquire(blocking=False))
        shown = self.show("/jobs/nightly")
        self.assertTrue(shown["mixed"])
        self.assertEqual(len(shown["sharing"]), 1)
        lock.release()
        self.assertFalse(self.kazoo.Lock("/jobs/nightly", "kazoo", extra_lock_patterns=["lock-"]).acquire(blocking=False))
        native.stdin.close()
        self.assertEqual(native.wait(60), 0)
        print("PASS by default kazoo takes the lock beside names that it does not see", flush=True)


if __name__ == "__main__":
    PROGRAMS = os.path.abspath(sys.argv[1])
    unittest.main(argv=sys.argv[:1], verbosity=0)
