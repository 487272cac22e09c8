"""A terminal for a program to write to, and a server to ask, for the tests of the command line."""
import os
import pty
import select
import socket
import subprocess
import time

PATIENCE = 60  # seconds: only so that a failure ends


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Terminal:
    """A program whose three streams are a terminal."""

    def __init__(self, arguments, environment):
        self.written = b""
        self.seen = 0
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(arguments[0], arguments, environment)

    def read(self):
        """What has come; False at the end."""
        ready, _, _ = select.select([self.master], [], [], PATIENCE)
        assert ready, f"nothing came for {PATIENCE} seconds behind {self.written!r}"
        try:
            got = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            got = b""
        self.written += got
        return bool(got)

    def until(self, bytes_wanted):
        while bytes_wanted not in self.written:
            assert self.read(), f"it ended with {self.written!r}, without {bytes_wanted!r}"

    def type(self, text):
        os.write(self.master, text.encode())

    def until_again(self, bytes_wanted):
        """Waits for it behind all that was waited for before, and returns what came up to it."""
        while True:
            at = self.written.find(bytes_wanted, self.seen)
            if at >= 0:
                came = self.written[self.seen:at + len(bytes_wanted)]
                self.seen = at + len(bytes_wanted)
                return came
            behind = self.written[self.seen:]
            assert self.read(), f"it ended with {behind!r}, without {bytes_wanted!r}"

    def end(self):
        """The exit code, and all that was written."""
        while self.read():
            pass
        os.close(self.master)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), self.written


class Server:
    """One server, and the command line that asks it, on a terminal or in a pipe."""

    others = ""  # members of its cluster

    def __init__(self, binaries, folder, *flags):
        self.quorate = str(binaries / "quorate")
        self.folder = folder
        peer, client = free_ports(2)
        self.endpoint = f"127.0.0.1:{client}"
        sanitizers = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
        self.environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "QUORATE_ENDPOINTS": self.endpoint, **sanitizers}
        with open(folder / "server.log", "wb") as log:
            self.server = subprocess.Popen(
                [str(binaries / "quorated"), "--id", "1", "--data", str(folder / "data"), "--cluster",
                 f"1=127.0.0.1:{peer}{self.others}", "--client", self.endpoint, *flags], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.wait_for_cluster()

    def stop(self):
        self.server.kill()
        self.server.wait()

    def terminal(self, *arguments, **environment):
        return Terminal([self.quorate, *arguments], {**self.environment, **environment})

    def on_terminal(self, *arguments, **environment):
        return self.terminal(*arguments, **environment).end()

    def in_pipe(self, *arguments, text=b"", **environment):
        ran = subprocess.run([self.quorate, *arguments], env={**self.environment, **environment}, input=text,
                             capture_output=True, timeout=PATIENCE, check=False)
        return ran.returncode, ran.stdout, ran.stderr

    def wait_for_cluster(self):
        deadline = time.monotonic() + PATIENCE
        while self.in_pipe("cluster", "health")[0] != 0:
            assert self.server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "no leader"
