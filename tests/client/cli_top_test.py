#!/usr/bin/env python3
"""quorate top on a terminal and in a pipe, against a real server.

    tests/client/cli_top_test.py BIN     BIN: the folder with quorated and quorate
"""
import json
import pathlib
import signal
import socket
import sys
import tempfile
import os

from terminal import Server

SUPER = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="  # super:test
QUICK = ("--interval", "100ms")


class Test(Server):
    def contended(self):
        """A lock that somebody holds and somebody else waits for."""
        held = self.terminal("lock", "run", "/busy", "--", "sh", "-c", "echo held; exec sleep 1000")
        held.until(b"held")
        waits = self.terminal("lock", "run", "/busy", "--", "true")
        while self.in_pipe("lock", "show", "/busy")[1].count(b"waiter") != 1:
            pass
        return held, waits

    def once(self):
        for path in ("/cold", "/hot"):
            assert self.in_pipe("create", path)[0] == 0
        # Asked for so often that it is the hottest, whatever else the commands ask for.
        self.in_pipe("shell", text=b"get /hot\n" * 300)
        assert self.in_pipe("--credentials", str(self.secret), "create", "--acl", "auth::rwcda", "/secret")[0] == 0
        code, out, errors = self.in_pipe("top", "--once", *QUICK)
        assert code == 0 and errors == b"" and b"\033" not in out and b"\r" not in out, (out, errors)
        text = out.decode()
        lines = text.splitlines()
        assert lines[0] == "1 of 1 server answers, server 1 leads", text
        heading = next(line for line in lines if line.startswith("ID "))
        row = lines[lines.index(heading) + 1]
        assert row.startswith("1 ") and row.index("leader") == heading.index("ROLE"), text
        paths = lines[lines.index("REQUESTS/S  PATH") + 1:]
        assert paths[0].endswith("  /hot"), text
        assert "WAITERS" in text and "/busy" in text, text
        assert "/secret" not in text and "hotter paths are not shown" in text, text

    def as_json(self):
        code, out, errors = self.in_pipe("--json", "top", "--once", *QUICK)
        assert code == 0 and errors == b"" and out.count(b"\n") == 1, (out, errors)
        told = json.loads(out)
        assert told["paths"][0]["path"] == "/hot" and told["paths"][0]["requests_per_second"] > 1, told
        assert told["locks"] == [{"path": "/busy", "waiters": 1, "holder": told["locks"][0]["holder"]}], told
        assert told["servers"][0]["role"] == "leader" and told["hidden_paths"] > 0, told
        # Top itself reads.
        assert told["servers"][0]["load"]["reads_per_second"] > 0, told
        assert told["servers"][0]["load"]["read_us"]["p99"] >= told["servers"][0]["load"]["read_us"]["p50"], told
        code, out, _ = self.in_pipe("--credentials", str(self.super), "--json", "top", "--once", *QUICK)
        told = json.loads(out)
        assert "/secret" in [each["path"] for each in told["paths"]] and told["hidden_paths"] == 0, told

    def again_and_again(self):
        """In a pipe a block a look, until a signal."""
        reader, writer = os.pipe()
        pid = os.posix_spawn(self.quorate, [self.quorate, "--json", "top", *QUICK], self.environment,
                             file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
        os.close(writer)
        with os.fdopen(reader) as lines:
            for _ in range(3):
                assert json.loads(lines.readline())["servers"]
            os.kill(pid, signal.SIGTERM)
            _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status

    def on_the_screen(self):
        """Redrawn in place on the other screen, which is left as it was."""
        top = self.terminal("top", *QUICK)
        came = top.until_again(b"\033[?1049h")
        assert came == b"\033[?1049h", came  # nothing before
        for _ in range(3):
            came = top.until_again(b"\033[J")
            assert b"\033[H1 of 1 server answers" in came, came
        assert b"\033[1mID" in came and b"\033[K\r\n" in came, came
        top.type("\x03")
        code, shown = top.end()
        assert code == 0 and shown.endswith(b"\033[?25h\033[?1049l"), (code, shown[-100:])
        top = self.terminal("top", *QUICK)
        top.until_again(b"\033[J")
        os.kill(top.pid, signal.SIGTERM)
        code, shown = top.end()
        assert code == 0 and shown.endswith(b"\033[?25h\033[?1049l"), (code, shown[-100:])
        top = self.terminal("top", "--interval", "1h")
        top.until_again(b"\033[J")
        top.type("xq")
        code, shown = top.end()
        assert code == 0 and shown.endswith(b"\033[?25h\033[?1049l") and b"x" not in shown[shown.rindex(b"\033[J"):], (code, shown[-100:])
        # From the shell, whose screen it is then.
        shell = self.terminal("shell", HOME=str(self.folder))
        shell.until_again(b"> ")
        shell.type("top --interval 100ms\n")
        shell.until_again(b"\033[J")
        shell.type("\x03")
        shell.until_again(b"\033[?1049l")
        shell.until_again(b"quorate /> ")
        shell.type("top --interval 100ms\n")
        shell.until_again(b"\033[J")
        shell.type("q")
        shell.until_again(b"\033[?1049l")
        shell.until_again(b"quorate /> ")
        shell.type("\x04")
        assert shell.end()[0] == 0

    def errors(self):
        for wrong in ("1", "10ms", "2h", "soon"):
            code, out, errors = self.in_pipe("top", "--interval", wrong)
            assert code == 2 and out == b"" and b"see: quorate top --help" in errors, (wrong, errors)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = f"127.0.0.1:{closed.getsockname()[1]}"
        code, out, errors = self.in_pipe("--endpoints", nobody, "top")
        assert code == 3 and out == b"" and errors.startswith(b"quorate: no server reachable: "), errors

    def no_quorum(self):
        """A server of three that is alone tells what it can."""
        with tempfile.TemporaryDirectory() as name:
            alone = Alone(pathlib.Path(self.quorate).parent, pathlib.Path(name))
            try:
                code, out, errors = alone.in_pipe("--request-timeout", "500ms", "top", "--once", *QUICK)
                assert code == 0 and b"no leader has a majority" in out, (out, errors)
                assert b"without a quorum neither paths nor locks can be seen" in out, out
                code, out, _ = alone.in_pipe("--json", "cluster", "status")
                told = json.loads(out)
                assert code == 3 and told["leader"] is None, (code, out)
                assert told["servers"][0]["leader"] is None and told["servers"][0]["lag"] is None, out
                assert "problem" not in told["servers"][0] and told["servers"][1]["problem"], out
            finally:
                alone.stop()

    def run(self):
        held, waits = self.contended()
        try:
            for part in (self.once, self.as_json, self.again_and_again, self.on_the_screen, self.errors, self.no_quorum):
                part()
                print(f"{part.__name__}: as it should be", flush=True)
        finally:
            for each in (waits, held):
                os.kill(each.pid, signal.SIGTERM)
                each.end()
            self.stop()


class Alone(Server):
    others = ",2=127.0.0.1:1,3=127.0.0.1:2"

    def wait_for_cluster(self):
        while self.in_pipe("cluster", "status")[1] == b"":  # until it answers, of itself alone
            assert self.server.poll() is None, "the server ended"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        test = Test(pathlib.Path(sys.argv[1]).resolve(), folder, "--super-digest", SUPER)
        test.super = folder / "super"
        test.super.write_text("super:test\n")
        test.secret = folder / "secret"
        test.secret.write_text("alice:secret\n")
        test.run()
    print("Top showed what there was.")


if __name__ == "__main__":
    main()
