#!/usr/bin/env python3
"""quorate shell as a person types in it, and as a script, against a real server.

    tests/client/cli_shell_test.py BIN     BIN: the folder with quorated and quorate
"""
import os
import pathlib
import signal
import stat
import sys
import tempfile
import termios

from terminal import Server

PROMPT = b"quorate /> "


class Test(Server):
    def shell(self, **environment):
        shell = self.terminal("shell", HOME=str(self.folder), NO_COLOR="1", **environment)
        shell.until_again(PROMPT)
        return shell

    def history(self):
        return (self.folder / ".local/state/quorate/history").read_text().splitlines()

    def say(self, shell, line, wanted, prompt=PROMPT):
        """Types a line; what was wanted comes before the next prompt."""
        shell.type(line + "\n")
        came = shell.until_again(prompt)
        assert wanted in came, (line, came)
        return came

    def leave(self, shell):
        shell.type("\x04")
        code, _ = shell.end()
        assert code == 0, code

    def commands(self):
        """Commands, their help and their errors are those of the command line; an error leaves the shell alive."""
        shell = self.shell()
        self.say(shell, "create /app 'colour = blue'", b"")
        self.say(shell, "get /app", b"colour = blue\r\n")
        self.say(shell, "--json get /app", b'"data":"colour = blue"')
        self.say(shell, "get /nothing", b"quorate: /nothing: no such node")
        self.say(shell, "frobnicate", b"quorate: 'frobnicate' is no command (see: quorate --help)")
        self.say(shell, "get", b"quorate get --help")
        self.say(shell, "set --help", b"change a node's data")
        self.say(shell, "help", b"leave the shell, as Ctrl-D does")
        self.say(shell, "get 'unfinished", b"quorate: the quote ' is not closed")
        self.say(shell, "get /a\\", b"quorate: it ends with a backslash")
        self.say(shell, "   ", b"")
        self.say(shell, "# nothing", b"")
        self.say(shell, "lock run /l -- echo held $HOME", b"held $HOME\r\n")  # no shell's variables
        self.say(shell, "lock run /l -- sh -c 'echo token $QUORATE_LOCK_TOKEN'", b"token ")
        self.say(shell, "get /app", b"colour = blue")  # the terminal is the shell's again
        shell.type("exit\n")
        code, _ = shell.end()
        assert code == 0, code

    def folders(self):
        shell = self.shell()
        self.say(shell, "create -p /deep/er/est there", b"")
        self.say(shell, "cd deep", b"", b"quorate /deep> ")
        self.say(shell, "pwd", b"/deep\r\n", b"quorate /deep> ")
        self.say(shell, "ls .", b"er\r\n", b"quorate /deep> ")
        self.say(shell, "ls", b"er\r\n", b"quorate /deep> ")
        self.say(shell, "ls -R", b"/deep/er\r\n/deep/er/est\r\n", b"quorate /deep> ")
        self.say(shell, "get er/est", b"there\r\n", b"quorate /deep> ")
        self.say(shell, "get /deep/er/est", b"there\r\n", b"quorate /deep> ")
        self.say(shell, "cd er/..//", b"/deep//", b"quorate /deep> ")  # as it stands there, and refused
        self.say(shell, "cd missing", b"/deep/missing: no such node", b"quorate /deep> ")
        self.say(shell, "cd ..", b"")
        self.say(shell, "cd deep/er", b"", b"quorate /deep/er> ")
        self.say(shell, "cd", b"")
        self.leave(shell)

    def one_session(self):
        """All lines share one session; an ephemeral node lives as long as the shell."""
        shell = self.shell()
        self.say(shell, "create -e /mine", b"/mine")
        self.say(shell, "create -e /mine/not", b"quorate: /mine/not: ")
        self.say(shell, "session ls", b"0x")
        code, sessions, _ = self.in_pipe("session", "ls")
        assert code == 0 and len(sessions.splitlines()) == 2, sessions
        assert self.in_pipe("get", "/mine")[0] == 0
        self.leave(shell)
        assert self.in_pipe("get", "/mine")[0] == 1

    def keys(self):
        """Tab completes commands, options and paths; arrow up brings the lines before."""
        shell = self.shell()
        self.say(shell, "create -p /words/alpha/one", b"")
        self.say(shell, "create /words/alphabet", b"")
        self.say(shell, "create '/words/with blank'", b"")
        shell.type("deletea\t/wor\t\ta\t\t")  # as far as it is clear, then both are shown, and the line again
        shell.until_again(b"alpha     alphabet\r\n")
        shell.until_again(PROMPT + b"deleteall /words/alpha")
        shell.type("b\t\n")
        shell.until_again(b"\n" + PROMPT)
        assert self.in_pipe("ls", "/words")[1] == b"alpha\nwith blank\n"
        # The one that is left with these letters has children: no blank is put behind it, and a second Tab goes on.
        shell.type("stat /words/al\t\t\t\n")
        shell.until_again(b"czxid")
        shell.until_again(PROMPT)
        assert self.history()[-1] == "stat /words/alpha/one ", self.history()
        shell.type("stat /words/wi\t\n")
        shell.until_again(b"czxid")
        shell.until_again(PROMPT)
        shell.type("cd words\n")
        shell.until_again(b"quorate /words> ")
        shell.type("stat alp\t\n")  # from where one is
        shell.until_again(b"czxid")
        shell.until_again(b"quorate /words> ")
        shell.type("cluster sta\t\n")
        shell.until_again(b"COMMIT")
        shell.until_again(b"quorate /words> ")
        shell.type("get --he\t\n")
        shell.until_again(b"byte by byte")
        shell.until_again(b"quorate /words> ")
        shell.type("cd\n")
        shell.until_again(PROMPT)
        shell.type("pwd\n")
        shell.until_again(b"/\r\n" + PROMPT)
        shell.type("\x1b[A\x1b[A\x1b[A\n")  # the third before
        shell.until_again(b"byte by byte")
        shell.until_again(PROMPT)
        self.leave(shell)

    def signals(self):
        """Ctrl-C abandons a line, or ends the command; SIGTERM ends the shell."""
        shell = self.shell()
        shell.type("create /abandoned\x03")
        shell.until_again(b"^C\r\n")
        shell.until_again(PROMPT)
        assert self.in_pipe("stat", "/abandoned")[0] == 1
        self.say(shell, "create -e /kept", b"/kept")
        shell.type("watch /\n")
        while b'"watches":0' in self.in_pipe("--json", "cluster", "status")[1]:
            pass  # it tells of what comes behind it
        self.in_pipe("create", "/seen")
        shell.until_again(b"children / ")
        shell.type("\x03")
        shell.until_again(PROMPT)
        shell.type("lock run /busy -- sh -c 'echo running; exec sleep 1000'\n")
        shell.until_again(b"running\r\n")
        shell.type("\x03")
        shell.until_again(PROMPT)
        holder = self.terminal("lock", "run", "/busy", "--", "sh", "-c", "echo held; exec sleep 1000")
        holder.until(b"held")
        shell.type("lock run /busy -- true\n")
        while self.in_pipe("lock", "show", "/busy")[1].count(b"waiter") != 1:
            pass
        shell.type("\x03")
        shell.until_again(PROMPT)
        while self.in_pipe("lock", "show", "/busy")[1].count(b"waiter") != 0:
            pass
        shell.type("set /seen -\n")  # reads the terminal
        shell.until_again(b"set /seen -\r\n")
        shell.type("\x03")
        shell.until_again(PROMPT)
        shell.type("set /seen -\n")
        while not termios.tcgetattr(shell.master)[3] & termios.ICANON:
            pass  # until Ctrl-D is the end of the input, and no key of the editor's
        shell.type("typed\n\x04")
        shell.until_again(PROMPT)
        assert self.in_pipe("get", "/seen") == (0, b"typed\n", b"")
        assert self.in_pipe("get", "/kept")[0] == 0  # the same session all the while
        os.kill(holder.pid, signal.SIGTERM)
        holder.end()
        os.kill(shell.pid, signal.SIGTERM)
        code, _ = shell.end()
        assert code == 128 + signal.SIGTERM, code

    def kept_lines(self):
        """The history is the user's alone, bounded, and without secrets."""
        file = self.folder / ".local/state/quorate/history"
        file.unlink(missing_ok=True)
        shell = self.shell()
        self.say(shell, "pwd", b"/")
        self.say(shell, " create /quietly", b"")
        self.say(shell, "setacl / digest:joe:bm90aGluZw==:r auth::rwcda world:anyone:rwcda", b"")
        self.leave(shell)
        assert self.history() == ["pwd"], self.history()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.write_text("".join(f"get /{i}\n" for i in range(2100)))
        shell = self.shell()
        shell.type("\x1b[A\n")
        shell.until_again(b"/2099: no such node")
        shell.until_again(PROMPT)
        self.leave(shell)
        lines = self.history()
        assert lines[0] == "get /1100" and lines[-1] == "get /2099" and len(lines) == 1001, (lines[0], lines[-1], len(lines))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        shell = self.shell(XDG_STATE_HOME="/proc/none")  # cannot be written: said, and nothing more
        self.say(shell, "pwd", b"quorate: cannot keep the history in /proc/none/quorate/history")
        self.say(shell, "pwd", b"/")
        self.leave(shell)

    def lost_session(self):
        """A lost session is said, and the next command that needs one opens another."""
        assert self.in_pipe("shell", text=b"create -e /gone\nsession ls\n")[0] == 0
        shell = self.shell()
        self.say(shell, "create -e /gone", b"/gone")
        code, sessions, _ = self.in_pipe("session", "ls")
        mine = sessions.splitlines()[1].split()[0].decode()
        assert self.in_pipe("--credentials", str(self.super), "session", "close", mine)[0] == 0
        shell.until_again(b"quorate: the session was lost")  # while nothing is typed
        shell.until_again(PROMPT)
        self.say(shell, "stat /gone", b"/gone: no such node")
        self.say(shell, "create -e /gone", b"/gone")
        assert self.in_pipe("get", "/gone")[0] == 0
        self.leave(shell)

    def scripts(self):
        """A pipe is a script: it ends with the first failure and its exit code, or goes on if it is told to."""
        script = b"# makes and reads\n\ncreate /script one\nget /script\n  # more\nget /script/none\ncreate /script/late\n"
        code, out, errors = self.in_pipe("shell", text=script)
        assert code == 1 and out == b"one", (code, out, errors)
        first, last = errors.splitlines()
        assert first.startswith(b"quorate: /script/none: no such node") and b"line 6 failed" in last, errors
        assert self.in_pipe("stat", "/script/late")[0] == 1
        code, out, errors = self.in_pipe("shell", "--keep-going", text=script[script.index(b"get"):])
        assert code == 1 and out == b"one" and len(errors.splitlines()) == 1, (code, out, errors)
        assert self.in_pipe("stat", "/script/late")[0] == 0
        code, out, errors = self.in_pipe("shell", text=b'get "/script\n')
        assert code == 2 and b'the quote " is not closed' in errors, (code, errors)
        # What is behind a command that reads standard input is that command's.
        code, out, errors = self.in_pipe("shell", text=b"set /script -\nall of this\nget /script\n")
        assert (code, out, errors) == (0, b"", b""), (code, out, errors)
        assert self.in_pipe("get", "/script")[1] == b"all of this\nget /script\n"
        code, out, errors = self.in_pipe("shell", text=b"exit\nget /none\n")
        assert (code, out, errors) == (0, b"", b""), (code, out, errors)
        assert self.in_pipe("shell", text=b"cd /script\nls .")[1] == b"late\n"
        # Options that take a path, too.
        relative = b"create -p /below/locks\ncd /below\nlock run --with locks/b locks/a -- true\nls locks\nservice ls --base services\nservice ls --base .\n"
        assert self.in_pipe("shell", text=relative)[:2] == (0, b"a\nb\nSERVICE  INSTANCES  DRAINED\nlocks    0          0\n")
        assert self.in_pipe("shell", text=b"shell\n")[0] == 2
        # Options of a line are that line's.
        code, out, errors = self.in_pipe("shell", text=b"--endpoints 127.0.0.1:1 --request-timeout 100ms get /script\n")
        assert code == 3, (code, errors)
        # The example of docs/cli.md.
        manual = (pathlib.Path(__file__).parents[2] / "docs/cli.md").read_text()
        example = manual.split("`quorate shell < script`:\n\n```\n")[1].split("```")[0]
        assert self.in_pipe("shell", text=example.encode()) == (0, b"bluecolour\n", b"")
        assert self.in_pipe("--json", "shell", text=b"ls /script\n")[1] == b'["late"]\n'

    def run(self):
        try:
            for part in (self.commands, self.folders, self.one_session, self.keys, self.signals, self.kept_lines,
                         self.lost_session, self.scripts):
                if len(sys.argv) > 2 and part.__name__ not in sys.argv[2:]:
                    continue
                part()
                print(f"{part.__name__}: as it should be", flush=True)
        finally:
            self.stop()


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        test = Test(pathlib.Path(sys.argv[1]).resolve(), folder, "--super-digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=")
        test.super = folder / "super"
        test.super.write_text("super:test\n")
        test.run()
    print("The shell did all that was typed.")


if __name__ == "__main__":
    main()
