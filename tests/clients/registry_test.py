"""Quorate's registry and Curator's service discovery in one folder: what `quorate service register` enters, Curator finds, and
the other way round, with all fields; and both see the other's drained and gone.
Usage: registry_test.py FOLDER-OF-THE-PROGRAMS COMMAND, where COMMAND runs curator/CuratorRegistry.java."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "zookeeper"))
from cluster import Cluster, until  # noqa: E402

PROGRAMS, CURATOR = None, None
BASE = "/discovery"
# A session that must not expire, however slow the machine is, and one of who is killed.
SESSION_MS, SHORT_SESSION_MS = 40000, 4000


class Curator:
    """The program, asked line by line."""

    def __init__(self, endpoints, session_ms):
        self.process = subprocess.Popen(CURATOR + [endpoints, BASE, str(session_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("= "):
                return line[2:-1]
        raise AssertionError("Curator's program ended at: " + " ".join(words))

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Lines(unittest.TextTestResult):
    """One for each test that passed, to be counted; unittest itself names those that failed."""

    def addSuccess(self, test):
        super().addSuccess(test)
        print("PASS " + test.id().rsplit(".", 1)[1], flush=True)


class RegistryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(os.path.join(PROGRAMS, "quorated"))
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.leader()
        cls.curator = cls.new_curator(cls.addClassCleanup)

    @classmethod
    def new_curator(cls, add_cleanup, session_ms=SESSION_MS):
        curator = Curator(cls.cluster.addresses(), session_ms)
        add_cleanup(curator.end)
        return curator

    def setUp(self):
        self.name = self._testMethodName  # of the service

    def command(self, *words, session_ms=SESSION_MS):
        return [os.path.join(PROGRAMS, "quorate"), "--endpoints", self.cluster.addresses(), "--session-timeout",
                "%dms" % session_ms, *words]

    def run_quorate(self, *words):
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)

    def service(self, *words):
        """What `quorate service` prints."""
        done = self.run_quorate("service", *words, "--base", BASE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def shown(self):
        done = self.run_quorate("--json", "service", "show", self.name, "--base", BASE)
        self.assertIn(done.returncode, (0, 1), done.stderr)  # 1: there is none
        return {instance["id"]: instance for instance in json.loads(done.stdout)}

    def resolved(self):
        done = self.run_quorate("service", "resolve", self.name, "--base", BASE)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return sorted(done.stdout.split())

    def register(self, instance, *options, session_ms=SESSION_MS):
        """A native instance, once it is in; its process."""
        command = self.command("service", "register", self.name, "--base", BASE, "--id", instance, *options,
                               session_ms=session_ms)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(lambda: process.poll() is not None or (process.kill(), process.wait()))
        self.assertEqual(process.stdout.readline().strip(), "%s/%s/%s" % (BASE, self.name, instance))
        return process

    def curator_says(self, answer, *words):
        """In the end: its client reads from a server that may be a little behind."""
        answers = []

        def asked():
            answers.append(self.curator.ask(*words))
            return answers[-1] == answer
        try:
            until(asked, "Curator says '%s'" % answer)
        except AssertionError as error:
            raise AssertionError("%s but '%s'" % (error, answers[-1])) from None

    def resolves(self, *places):
        until(lambda: self.resolved() == sorted(places), "resolved are %s" % (places,))

    def test_curator_finds_a_native_instance_with_all_fields(self):
        payload = '{"@class": "CuratorRegistry$Details", "word": "wide", "length": 4}'
        self.register("one", "--address", "10.0.0.1", "--port", "80", "--ssl-port", "443", "--tag", "fast", "--meta", "zone=a",
                      "--weight", "3", "--payload", payload)
        at = self.shown()["one"]["registered_ms"]
        self.curator_says("%s one 10.0.0.1 80 443 wide/4 %d DYNAMIC - enabled" % (self.name, at), "one", self.name, "one")
        self.register("two", "--address", "::1")
        at_two = self.shown()["two"]["registered_ms"]
        self.curator_says("%s one 10.0.0.1 80 443 wide/4 %d DYNAMIC - enabled; %s two ::1 null null - %d DYNAMIC - enabled"
                          % (self.name, at, self.name, at_two), "all", self.name)
        self.curator_says("one two", "provided", self.name)
        self.assertIn(self.name, self.curator.ask("names").split())

    def test_quorate_finds_curators_instance_with_all_fields(self):
        at = int(self.curator.ask("register", self.name, "one", "10.0.0.1", 80, 443, "wide"))
        self.curator.ask("register", self.name, "two", "10.0.0.2", 0, 8443, "-")
        shown = self.shown()
        self.assertEqual(shown["one"], {
            "name": self.name, "id": "one", "address": "10.0.0.1", "port": 80, "ssl_port": 443, "enabled": True, "weight": 1,
            "tags": [], "metadata": {}, "registered_ms": at,
            "payload": {"@class": "CuratorRegistry$Details", "word": "wide", "length": 4}})
        self.assertEqual((shown["two"]["port"], shown["two"]["ssl_port"], shown["two"]["payload"]), (None, 8443, None))
        self.assertEqual(self.resolved(), ["10.0.0.1:80", "10.0.0.2:8443"])
        self.assertRegex(self.service("ls"), r"(?m)^%s +2 +0$" % self.name)

    def test_both_are_offered_together(self):
        self.register("native", "--address", "10.0.0.1", "--port", "1")
        self.curator.ask("register", self.name, "curator", "10.0.0.2", 2, 0, "-")
        self.curator_says("curator native", "provided", self.name)
        self.resolves("10.0.0.1:1", "10.0.0.2:2")

    def test_a_native_instance_drained_is_passed_over_by_curator(self):
        self.register("one", "--address", "10.0.0.1", "--port", "1", "--tag", "fast", "--weight", "2")
        self.register("two", "--address", "10.0.0.2", "--port", "2")
        self.curator_says("one two", "provided", self.name)
        before = self.shown()["one"]
        self.service("drain", self.name, "one")
        self.curator_says("two", "provided", self.name)
        self.curator_says("%s one 10.0.0.1 1 null - %d DYNAMIC - disabled" % (self.name, before["registered_ms"]),
                          "one", self.name, "one")
        self.assertEqual(self.shown()["one"], dict(before, enabled=False))
        self.service("drain", self.name, "one", "--undo")
        self.curator_says("one two", "provided", self.name)
        self.assertEqual(self.shown()["one"], before)

    def test_curators_instance_drained_by_quorate_keeps_all_fields(self):
        at = int(self.curator.ask("register", self.name, "one", "10.0.0.1", 80, 443, "wide"))
        text = self.name + " one 10.0.0.1 80 443 wide/4 %d DYNAMIC https://10.0.0.1:80 " % at
        self.curator_says(text + "enabled", "one", self.name, "one")
        self.curator_says("one", "provided", self.name)
        self.service("drain", self.name, "one")
        self.curator_says(text + "disabled", "one", self.name, "one")
        self.curator_says("", "provided", self.name)
        self.assertEqual(self.resolved(), [])
        self.service("drain", self.name, "one", "--undo")
        self.curator_says(text + "enabled", "one", self.name, "one")
        self.curator_says("one", "provided", self.name)
        self.assertEqual(self.resolved(), ["10.0.0.1:80"])

    def test_curators_instance_drained_by_curator_is_passed_over_by_quorate(self):
        self.curator.ask("register", self.name, "one", "10.0.0.1", 1, 0, "-")
        self.resolves("10.0.0.1:1")
        self.assertEqual(self.curator.ask("disable", self.name, "one"), "done")
        self.resolves()
        self.assertFalse(self.shown()["one"]["enabled"])
        self.assertRegex(self.service("ls"), r"(?m)^%s +1 +1$" % self.name)
        self.assertEqual(self.curator.ask("enable", self.name, "one"), "done")
        self.resolves("10.0.0.1:1")

    def test_native_instances_that_go_are_gone_for_curator(self):
        told, killed = (self.register(name, "--address", "h", "--port", "1", session_ms=SHORT_SESSION_MS)
                        for name in ("told", "killed"))
        self.curator_says("killed told", "provided", self.name)
        told.send_signal(signal.SIGTERM)
        self.assertEqual(told.wait(60), 0)
        self.curator_says("killed", "provided", self.name)
        killed.kill()
        killed.wait()
        self.curator_says("", "provided", self.name)
        self.curator_says("none", "one", self.name, "killed")

    def test_curators_instances_that_go_are_gone_for_quorate(self):
        other = self.new_curator(self.addCleanup, SHORT_SESSION_MS)
        self.curator.ask("register", self.name, "unregistered", "h", 1, 0, "-")
        other.ask("register", self.name, "killed", "h", 2, 0, "-")
        self.resolves("h:1", "h:2")
        self.assertEqual(self.curator.ask("unregister", self.name, "unregistered"), "done")
        self.resolves("h:2")
        other.process.kill()
        self.resolves()
        self.assertEqual(self.shown(), {})

    def test_a_watch_tells_of_curators_instances(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        told = os.path.join(folder.name, "watch")
        with open(told, "w") as out:
            watch = subprocess.Popen(self.command("service", "watch", self.name, "--base", BASE), stdin=subprocess.DEVNULL,
                                     stdout=out)
        self.addCleanup(watch.wait)
        self.addCleanup(watch.kill)

        def lines():
            with open(told) as text:
                return text.read().splitlines()
        for words, line in ((("register", self.name, "one", "10.0.0.1", 1, 0, "-"), "+ one 10.0.0.1:1"),
                            (("disable", self.name, "one"), "= one 10.0.0.1:1 drained"),
                            (("enable", self.name, "one"), "= one 10.0.0.1:1"),
                            (("unregister", self.name, "one"), "- one 10.0.0.1:1")):
            self.curator.ask(*words)
            # The last alone: a session that ran out on a machine that stood still is told, too.
            until(lambda: lines()[-1:] == [line], "the watch tells '%s'" % line)

    def test_an_instance_keeps_its_place_when_its_leader_dies(self):
        self.register("native", "--address", "h", "--port", "1")
        self.curator.ask("register", self.name, "curator", "h", 2, 0, "-")
        self.curator_says("curator native", "provided", self.name)
        killed = self.cluster.leader()
        self.cluster.kill(killed)
        self.addCleanup(self.cluster.start, killed)
        self.cluster.leader()
        self.curator_says("curator native", "provided", self.name)
        self.resolves("h:1", "h:2")


if __name__ == "__main__":
    PROGRAMS, CURATOR = os.path.abspath(sys.argv[1]), shlex.split(sys.argv[2])
    unittest.main(argv=sys.argv[:1], testRunner=unittest.TextTestRunner(resultclass=Lines, verbosity=0))
