"""Native clients contend for one lock with clients of ZooKeeper's recipes, with a killed leader, and with holders of each
kind that are killed and stopped; under the lock they write into a file that only whoever has the newest token may append to.
Usage: shared_queue_test.py FOLDER-OF-THE-PROGRAMS [KIND=COMMAND...]. Without a KIND: kazoo. Each step prints a line.

A KIND's command holds the lock in turns, and runs something under it, as `lock run` does:
  COMMAND HOST:PORT,... PATH SESSION-MS ROUNDS PROGRAM...
with its token, its node's czxid, in QUORATE_LOCK_TOKEN, until PROGRAM has exited with 0 so many times, or standard input ends.

That two hold at once is seen in this way: whoever is refused by the file asks whether its own place is still in the queue. If
it is, somebody newer has written while it held the lock. No time counts: a session that expires because the machine is slow
takes its place with it."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "zookeeper"))

SCRIPT = os.path.abspath(__file__)
PATH = "/jobs/shared"
PROGRAMS = None
KINDS = {}
SESSION_MS, SHORT_SESSION_MS = 4000, 2000


# --- what runs under the lock: SCRIPT work FILE HELD ----------------------------------------------------------------------

def append(file, token, word):
    """Whether the file took it: it remembers the newest token."""
    with open(file, "a+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        lines = log.read().splitlines()
        if lines and token < int(lines[-1].split()[0]):
            return False
        log.write("%d %s\n" % (token, word))
        log.flush()
        return True


def still_in_the_queue(token):
    """Whether the place with this token is there, as a holder or behind one; whatever recipe's names it bears."""
    while True:
        shown = subprocess.run([os.environ["QUORATE"], "--json", "lock", "show", PATH], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if shown.returncode == 0:
            lock = json.loads(shown.stdout)
            return any(place and place["token"] == token for place in [lock["holder"], *lock["sharing"], *lock["waiters"]])
        if shown.returncode == 1:
            return False
        time.sleep(0.1)  # no leader


def write(file, token, word):
    if append(file, token, word):
        return True
    if still_in_the_queue(token):
        with open(file + ".both", "a") as both:
            both.write("%d %s\n" % (token, word))
    return False


def work(file, held):
    token, who = int(os.environ["QUORATE_LOCK_TOKEN"]), os.environ["WHO"]
    if not write(file, token, "begin " + who):
        return 3
    if held == "-":
        time.sleep(0.005)
        return 0 if write(file, token, "end " + who) else 3
    tell(held, str(os.getpid()))
    while not os.path.exists(held + ".go"):
        if not os.path.exists(os.path.dirname(held)):
            return 3  # the test has ended without us
        time.sleep(0.02)
    tell(held + ".late", "taken" if write(file, token, "end " + who) else "refused")
    return 0


def tell(file, text):
    with open(file + ".new", "w") as out:
        out.write(text)
    os.rename(file + ".new", file)


# --- kazoo's holder: SCRIPT kazoo HOST:PORT,... PATH SESSION-MS ROUNDS PROGRAM... ------------------------------------------

class KazooHolder:
    def __init__(self, endpoints, path, session_ms, rounds, *program):
        self.endpoints, self.path, self.program = endpoints, path, program
        self.session_s, self.rounds = int(session_ms) / 1000, int(rounds)
        self.ending = False

    def run(self):
        from kazoo.exceptions import KazooException
        threading.Thread(target=self.end_with_input, daemon=True).start()
        while not self.ending and self.rounds > 0:
            try:
                self.session()
            except KazooException:
                pass  # a connection that was lost in the middle: its session is closed, and with it whatever it left
        return 0

    def end_with_input(self):
        sys.stdin.read()
        self.ending = True

    def session(self):
        from kazoo.client import KazooClient
        from kazoo.exceptions import BadArgumentsError, LockTimeout
        forever = dict(max_tries=-1, max_delay=0.5)
        client = KazooClient(hosts=self.endpoints, timeout=self.session_s, connection_retry=forever, command_retry=forever)
        try:
            client.start(timeout=30)
            while not self.ending and self.rounds > 0:
                lock = client.Lock(self.path, "kazoo")
                try:
                    lock.acquire(timeout=20)
                except LockTimeout:
                    continue
                except BadArgumentsError:
                    time.sleep(0.005)  # a native name is there: kazoo's would not see it
                    continue
                place = client.retry(client.exists, self.path + "/" + lock.node)
                if place:
                    environment = dict(os.environ, QUORATE_LOCK_TOKEN=str(place.czxid))
                    if subprocess.run(self.program, stdin=subprocess.DEVNULL, env=environment).returncode == 0:
                        self.rounds -= 1
                lock.release()
        finally:
            client.stop()
            client.close()


def running(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def end(process):
    process.stdin.close()
    if process.poll() is None:
        process.kill()
    process.wait()


# --- the test -------------------------------------------------------------------------------------------------------------

class SharedQueue(unittest.TestCase):
    def setUp(self):
        from cluster import Cluster
        # On an empty path the native client takes names that kazoo does not count, and kazoo would take the lock beside it
        # (docs/locks.md). Curator's names and go-zookeeper's are those that the native client takes.
        flags = ["--mixed-locks", "refuse"] if "kazoo" in KINDS else []
        self.cluster = Cluster(os.path.join(PROGRAMS, "quorated"), flags=flags)
        self.addCleanup(self.cluster.stop)
        self.cluster.leader()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = os.path.join(self.folder, "log")
        self.quorate = os.path.join(PROGRAMS, "quorate")
        self.stopping = False
        self.errors = []

    def environment(self, who):
        return dict(os.environ, WHO=who, QUORATE=self.quorate, QUORATE_ENDPOINTS=self.cluster.addresses())

    def start(self, kind, session_ms, rounds, held="-", who=None):
        """A holder of that kind: it runs `work` under the lock. A native one has one round."""
        program = [sys.executable, SCRIPT, "work", self.file, held]
        if kind == "native":
            command = [self.quorate, "--session-timeout", "%dms" % session_ms, "lock", "run", "--wait", "20s", PATH, "--"]
        else:
            command = KINDS[kind] + [self.cluster.addresses(), PATH, str(session_ms), str(rounds)]
        errors = None if kind != "native" else subprocess.DEVNULL
        return subprocess.Popen(command + program, stdin=subprocess.PIPE, stderr=errors, env=self.environment(who or kind))

    def native_rounds(self):
        while not self.stopping:
            # It is asked again a little later: where a native client is always there, kazoo is never let in. 3: the file
            # refused; 124, 125: not obtained, no server, or kazoo came first on an empty path.
            time.sleep(0.1)
            with self.start("native", SESSION_MS, 1) as holder:
                holder.wait()
            if holder.returncode not in (0, 3, 124, 125):
                self.errors.append("lock run ended with %d" % holder.returncode)

    def lines(self):
        if not os.path.exists(self.file):
            return []
        with open(self.file) as log:
            return log.read().splitlines()

    def count(self, who):
        return sum(line.endswith(" end " + who) for line in self.lines())

    def all_go_on(self, more):
        from cluster import until
        before = {kind: self.count(kind) for kind in ["native", *KINDS]}
        until(lambda: self.errors or all(self.count(kind) >= before[kind] + more for kind in before),
              "all kinds of clients get the lock %d times more" % more, 90)

    def hold(self, kind, name):
        """Who holds the lock, and its command's process; that waits for a file."""
        from cluster import until
        mark = os.path.join(self.folder, name)
        while True:
            holder = self.start(kind, SHORT_SESSION_MS, 1, mark, "held")
            self.addCleanup(end, holder)
            until(lambda: os.path.exists(mark) or holder.poll() is not None, "%s holds the lock" % kind, 60)
            if os.path.exists(mark):
                with open(mark) as file:
                    return mark, holder, int(file.read())

    def holder_killed(self, kind):
        mark, holder, command = self.hold(kind, kind + "-killed")
        holder.kill()
        holder.wait()
        self.all_go_on(2)
        if kind == "native":
            self.assertFalse(running(command), "the command of a native holder dies with it")
        else:
            self.late_write(mark)

    def holder_stopped(self, kind):
        mark, holder, _ = self.hold(kind, kind + "-stopped")
        holder.send_signal(signal.SIGSTOP)
        self.all_go_on(2)
        self.late_write(mark)
        holder.send_signal(signal.SIGCONT)
        # 125: the lock was lost.
        self.assertIn(holder.wait(60), (0, 125) if kind == "native" else (0,))
        self.all_go_on(2)

    def late_write(self, mark):
        """Nobody is left to end the command: it writes, and is refused."""
        from cluster import until
        tell(mark + ".go", "")
        until(lambda: os.path.exists(mark + ".late"), "the late write was tried")
        with open(mark + ".late") as file:
            self.assertEqual(file.read(), "refused")

    def leader_killed(self):
        killed = self.cluster.leader()
        self.cluster.kill(killed)
        self.all_go_on(3)
        self.cluster.start(killed)

    def test_one_at_a_time_whatever_client_it_is(self):
        native = threading.Thread(target=self.native_rounds)
        native.start()
        others = [self.start(kind, SESSION_MS, 1 << 30) for kind in KINDS for _ in range(2)]
        try:
            self.step("all have turns", lambda: self.all_go_on(5))
            self.step("a leader is killed", self.leader_killed)
            for kind in ["native", *KINDS]:
                self.step("a holder is killed: " + kind, lambda: self.holder_killed(kind))
                self.step("a holder is stopped: " + kind, lambda: self.holder_stopped(kind))
        finally:
            self.stopping = True
            for other in others:
                other.stdin.close()
            native.join()
            ended = [other.wait(60) for other in others]
        self.assertEqual(ended, [0] * len(others))
        self.step("never two at once", lambda: self.check(self.lines()))

    def step(self, what, run):
        run()
        self.assertEqual(self.errors, [])
        print("PASS " + what, flush=True)

    def check(self, lines):
        """Nobody was refused while its place stood; what one token wrote stands together, the tokens grow."""
        if os.path.exists(self.file + ".both"):
            with open(self.file + ".both") as both:
                self.fail("written to by others while these held the lock: " + both.read())
        done, current = set(), None
        for line in lines:
            token, step, _ = line.split()
            if token != current:
                self.assertNotIn(token, done, "two held at once: " + line)
                self.assertEqual(step, "begin", line)
                self.assertTrue(current is None or int(token) > int(current), line)
                done.add(current)
                current = token


if __name__ == "__main__":
    if sys.argv[1] == "work":
        sys.exit(work(*sys.argv[2:]))
    elif sys.argv[1] == "kazoo":
        sys.exit(KazooHolder(*sys.argv[2:]).run())
    else:
        PROGRAMS = os.path.abspath(sys.argv[1])
        for named in sys.argv[2:]:
            name, command_line = named.split("=", 1)
            KINDS[name] = shlex.split(command_line)
        KINDS = KINDS or {"kazoo": [sys.executable, SCRIPT, "kazoo"]}
        unittest.main(argv=sys.argv[:1], verbosity=0)
