#!/usr/bin/env python3
"""What the command line writes on a terminal, and what in a pipe, against a real server.

    tests/client/cli_terminal_test.py BIN     BIN: the folder with quorated and quorate

A terminal has headings that stand out, errors in red, a line of progress on what takes longer than a second, and a
line's end behind a node's data. A pipe and a file have nothing of all that.
"""
import fcntl
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import termios

from terminal import Server, Terminal, free_ports


class Test(Server):
    def on_terminal(self, *arguments, **environment):
        """Without the line that comes and goes where a busy machine took longer than a second."""
        code, shown = super().on_terminal(*arguments, **environment)
        return code, re.sub(rb"\r\033\[K(waiting for [a-z ]*)?", b"", shown)

    def headings(self):
        code, plain, errors = self.in_pipe("cluster", "status")
        assert code == 0 and errors == b"" and b"\033" not in plain and b"\r" not in plain, plain
        heading, row = plain.splitlines()
        assert heading.index(b"ADDRESS") == row.index(self.endpoint.encode()), plain
        code, shown = self.on_terminal("cluster", "status")
        first = shown.splitlines()[0]
        assert code == 0 and first == b"\033[1m" + heading + b"\033[0m", shown
        assert shown.count(b"\033") == 2 and shown.splitlines()[1].index(self.endpoint.encode()) == heading.index(b"ADDRESS"), shown
        for without in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            code, shown = self.on_terminal("cluster", "status", **without)
            assert code == 0 and shown.splitlines()[0] == heading and b"\033" not in shown, shown
        code, shown = self.on_terminal("--json", "cluster", "status")
        assert code == 0 and b"\033" not in shown, shown
        code, shown = self.on_terminal("stat", "/")  # names and values, and no heading
        assert code == 0 and b"\033" not in shown, shown

    def errors(self):
        code, out, plain = self.in_pipe("get", "/nothing")
        assert code == 1 and out == b"" and plain.startswith(b"quorate: ") and b"\033" not in plain, plain
        code, shown = self.on_terminal("get", "/nothing")
        assert code == 1 and shown == b"\033[31m" + plain.rstrip(b"\n") + b"\033[0m\r\n", shown
        code, shown = self.on_terminal("get", "/nothing", NO_COLOR="1")
        assert code == 1 and shown == plain.replace(b"\n", b"\r\n"), shown

    def data(self):
        assert self.in_pipe("create", "/data", "bytes")[0] == 0
        assert self.in_pipe("get", "/data") == (0, b"bytes", b"")
        assert self.on_terminal("get", "/data") == (0, b"bytes\r\n")

    def progress(self):
        """What takes longer than a second: with twice as many nodes, until it does."""
        count = 20_000
        while True:
            root = f"/many-{count}"
            file = self.folder / "many"
            file.write_text("".join(f'{{"path":"{root}{each}","data":""}}\n' for each in ["", *(f"/{i}" for i in range(count))]))
            code, out, errors = self.in_pipe("import", str(file))
            assert code == 0 and errors == b"" and out.startswith(f"{count + 1} nodes".encode()), (out, errors)
            # It looks at each node before it writes.
            code, shown = super().on_terminal("import", "--overwrite", str(file))
            assert code == 0 and f"{count + 1} overwritten".encode() in shown, shown
            if b"\r\033[K" in shown:
                break
            assert count < 1_000_000, "no progress was shown"
            count *= 2
        # Each line of progress takes the place of the one before, and the last is gone.
        assert b" nodes\r\033[K" in shown, shown
        code, out, errors = self.in_pipe("import", "--overwrite", str(file))
        assert code == 0 and errors == b"" and b"\r" not in out and b"\033" not in out, (out, errors)

    def waiting(self):
        """Whoever waits for a lock is told how many are before him; who waits for an answer, that he does."""
        holder = self.terminal("lock", "run", "/l", "--", "sh", "-c", "echo held; exec sleep 1000")
        holder.until(b"held")
        in_pipe = subprocess.Popen([self.quorate, "lock", "run", "/l", "--", "true"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while len(json.loads(self.in_pipe("--json", "lock", "show", "/l")[1])["waiters"]) < 1:
            assert in_pipe.poll() is None
        second = self.terminal("lock", "run", "--with", "/m", "/l", "--", "echo", "got it")
        second.until(b"\r\033[Kwaiting for /l, 2 before us")
        leader = self.terminal("elect", "run", "/l", "--", "echo", "leads")
        leader.until(b"\r\033[Kwaiting for /l, 3 before us")
        os.write(holder.master, b"\x03")
        assert holder.end()[0] == 128 + signal.SIGINT
        out, errors = in_pipe.communicate(timeout=60)
        assert in_pipe.returncode == 0 and out == b"" and errors == b"", (out, errors)
        for each, said in (second, b"got it"), (leader, b"leads"):
            code, shown = each.end()
            assert code == 0 and shown.endswith(b"\r\033[K" + said + b"\r\n"), shown

    def no_answer(self):
        """Nothing comes from the servers: every command says that it waits, and takes the line away when it is done."""
        nobody = self.terminal("--endpoints", f"127.0.0.1:{free_ports(1)[0]}", "--request-timeout", "10m", "get", "/")
        nobody.until(b"waiting for a server that answers")
        os.write(nobody.master, b"\x03")
        assert nobody.end()[0] == -signal.SIGINT
        nobody = self.terminal("--endpoints", f"127.0.0.1:{free_ports(1)[0]}", "--request-timeout", "10m", "lock", "run", "/l", "--", "true")
        nobody.until(b"waiting for a server that answers")
        os.write(nobody.master, b"\x03")
        assert nobody.end()[0] == 128 + signal.SIGINT
        assert self.in_pipe("create", "/here", "what is here")[0] == 0
        os.kill(self.server.pid, signal.SIGSTOP)
        slow = [self.terminal("--request-timeout", "10m", "--session-timeout", "1m", *words) for words in (
            ["get", "/here"], ["ls", "-R", "/here"], ["tree", "/here"], ["lock", "ls"], ["lock", "graph"], ["lock", "history", "/l"],
            ["session", "ls"], ["cluster", "transfer", "1"], ["export", "/here"], ["deleteall", "/nothing"])]
        for each in slow:
            each.until(b"waiting for ")
        os.kill(self.server.pid, signal.SIGCONT)
        for each in slow:
            code, shown = each.end()
            assert code == (1 if each is slow[-1] else 0), (code, shown)
            assert b"\r\033[K" in shown and b"waiting" not in shown.rpartition(b"\r\033[K")[2], shown
        # The bytes of a node, too, are written where the line was, and stay.
        assert slow[0].written.endswith(b"\r\033[Kwhat is here\r\n"), slow[0].written

    def files(self):
        """A backup that takes long to read: whoever opens a file on which there is a lease waits until that is gone."""
        backup = self.folder / "backup"
        self.stop()
        save = ["save", "--data", str(self.folder / "data")]
        assert self.in_pipe("snapshot", *save, str(backup))[0] == 0
        restore = ["restore", "--id", "1", "--cluster", "1=127.0.0.1:1", "--data", str(self.folder / "restored")]
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # that somebody waits
        for words, file in (["verify", str(backup)], backup), ([*restore, str(backup)], backup), ([*save, str(self.folder / "second")], self.folder / "data" / "identity"):
            with open(file, "r+b") as held:
                fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                reading = self.terminal("snapshot", *words)
                reading.until(b"\r\033[Kreading ")
                fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            code, shown = reading.end()
            assert code == 0 and b"reading" not in shown.rpartition(b"\r\033[K")[2], shown

    def passwords(self):
        """A password is typed twice and not seen; the terminal shows again what is typed when it is over."""
        typed = self.terminal("digest", "super")
        for prompt in b"Password of super: ", b"The same again: ":
            typed.until_again(prompt)
            assert not self.echoes(typed)
            typed.type("test\n")
        code, shown = typed.end()
        assert code == 0 and shown.endswith(b"super:D/InIHSb7yEEbrWz8b9l71RjZJU=\r\n") and b"test" not in shown, shown
        typed = self.terminal("digest", "super")
        for prompt, word in (b"Password of super: ", "test\n"), (b"The same again: ", "text\n"):
            typed.until_again(prompt)
            typed.type(word)
        typed.until_again(b"these are two passwords")
        self.wait_for_end(typed)
        assert self.echoes(typed) and typed.end()[0] == 2
        typed = self.terminal("digest", "super")
        typed.until_again(b"Password of super: ")
        typed.type("\x03")
        self.wait_for_end(typed)
        assert self.echoes(typed) and typed.end()[0] == 128 + signal.SIGINT
        assert self.in_pipe("digest", "super", text=b"test\n") == (0, b"super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n", b"")
        (self.folder / "password").write_text("test\nand what is behind it\n")
        assert self.in_pipe("digest", "super", str(self.folder / "password"))[1] == b"super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n"
        for text in b"", b"\n":
            code, out, errors = self.in_pipe("digest", "super", text=text)
            assert code == 2 and out == b"" and b"there is no password" in errors, errors
        # Of a script only its own line is the password.
        assert self.in_pipe("shell", text=b"digest super\ntest\npwd\n")[1] == b"super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n/\n"

    @staticmethod
    def echoes(terminal):
        return bool(termios.tcgetattr(terminal.master)[3] & termios.ECHO)

    @staticmethod
    def wait_for_end(terminal):
        while terminal.read():
            pass

    def interrupted(self):
        """Ctrl-C on the terminal ends a command that waits, as a signal does elsewhere."""
        watching = self.terminal("lock", "run", "/l", "--", "sh", "-c", "echo held; exec sleep 1000")
        watching.until(b"held")
        os.write(watching.master, b"\x03")
        code, shown = watching.end()
        assert code == 128 + signal.SIGINT, (code, shown)
        assert self.in_pipe("lock", "show", "/l")[1] == b"free\n"

    def lent(self):
        """The terminal is the command's while it runs, and again of whoever started us when it has ended."""
        for words in "lock run /l", "elect run /l", "service register search":
            script = f"{shlex.quote(str(self.quorate))} {words} -- grep SigIgn /proc/self/status; read line; echo \"read $line\""
            shell = Terminal(["/bin/sh", "-c", script], self.environment)
            shell.type("what is typed\n")
            _, shown = shell.end()
            assert shown.endswith(b"read what is typed\r\n"), (words, shown)
            ignored = int(re.search(rb"SigIgn:\s*([0-9a-f]+)", shown)[1], 16)
            assert not ignored >> (signal.SIGTTOU - 1) & 1, (words, shown)

    def nothing(self):
        """Where there is nothing to list, a person is told so."""
        for words, told in (("lock ls", b"no lock is held"), ("lock graph", b"nobody waits"), ("session ls", b"no session is open"),
                            ("service ls", b"no service is registered")):
            assert self.on_terminal(*words.split()) == (0, told + b"\r\n"), words
            assert self.in_pipe(*words.split()) == (0, b"", b""), words

    def run(self):
        try:
            for part in (self.nothing, self.headings, self.errors, self.data, self.progress, self.waiting, self.no_answer, self.passwords, self.interrupted, self.lent, self.files):
                part()
                print(f"{part.__name__}: as it should be", flush=True)
        finally:
            self.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        Test(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder)).run()
    print("A terminal and a pipe each get what they should.")


if __name__ == "__main__":
    main()
