#!/usr/bin/env python3
"""Every command with --json, against a real server.

    tests/client/cli_json_test.py BIN     BIN: the folder with quorated and quorate

A command prints exactly one JSON value on one line: its answer on standard output, or why there is none on standard error;
commands that look on print a value a line. The exit code is that of the same command without --json. The table below has an
answer and an error of each command that --help names; one that is missing from it is a failure.
"""
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

from terminal import PATIENCE, Server, free_ports

ANSWER, ERROR = "answer", "error"


class Test(Server):
    def __init__(self, binaries, folder):
        # The digest is that of super:test.
        super().__init__(binaries, folder, "--super-digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=")
        self.tried = set()
        self.lines = folder / "lines"
        self.lines.write_text('{"path":"/imported","data":"x"}\n')
        (folder / "credentials").write_text("super:test\n")
        (folder / "password").write_text("test\n")
        self.super = ["--credentials", str(folder / "credentials")]

    def file(self, name):
        """A file that is not there."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        return str(path)

    def ask(self, *words, text=b"", **environment):
        return self.in_pipe(*words, text=text, **environment)

    def value_in(self, what, written):
        lines = written.splitlines()
        assert len(lines) == 1 and written.endswith(b"\n"), f"{what}: not one line: {written!r}"
        return json.loads(lines[0])

    def check_error(self, what, code, written):
        value = self.value_in(what, written)
        assert set(value) == {"error"} and set(value["error"]) == {"code", "exit_code", "message"}, f"{what}: {value}"
        assert value["error"]["exit_code"] == code and value["error"]["code"] and value["error"]["message"], f"{what}: {value}"
        return value["error"]

    def both(self, words, code, kind, before=(), text=b"", options=()):
        """In both forms, each behind the same commands."""
        for form in ([], ["--json"]):
            for each in before:
                self.ask(*each)
            words_now = words() if callable(words) else words
            got, out, errors = self.ask(*form, *options, *words_now, text=text)
            what = " ".join([*form, *words_now])
            assert got == code, f"{what}: exit code {got} instead of {code}: {out!r} {errors!r}"
            if not form:
                assert kind == ANSWER or (out == b"" and errors.startswith(b"quorate: ") and errors.count(b"\n") == 1), f"{what}: {out!r} {errors!r}"
            elif kind == ANSWER:
                assert errors == b"", f"{what}: {errors!r}"
                self.value_in(what, out)
            else:
                assert out == b"", f"{what}: {out!r}"
                self.check_error(what, code, errors)
        self.name(words_now)

    def name(self, words):
        self.tried.update({words[0], " ".join(words[:2])})

    # ---- what there is

    def commands(self, *words):
        """All that --help names, as lists of words."""
        _, out, _ = self.ask(*words, "--help")
        listed = out.decode().partition("Subcommands:\n")[2].splitlines()
        names = [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "]
        below = [command for name in names for command in self.commands(*words, name)]
        return below or [" ".join(words)]

    # ---- the table

    def nodes(self):
        gone, there = ["deleteall", "/n"], ["create", "/n", "data"]
        self.both(["create", "/n"], 0, ANSWER, [gone])
        self.both(["create", "-s", "/n"], 0, ANSWER)
        self.both(["create", "/n"], 1, ERROR, [there])
        self.both(["create", "/no/where"], 1, ERROR)
        self.both(["get", "/n"], 0, ANSWER)
        self.both(["get", "/nothing"], 1, ERROR)
        self.both(["set", "/n", "x"], 0, ANSWER)
        self.both(["set", "-v", "99", "/n", "x"], 1, ERROR)
        self.both(["ls", "/"], 0, ANSWER)
        self.both(["ls", "-R", "/"], 0, ANSWER)
        self.both(["ls", "/nothing"], 1, ERROR)
        self.both(["tree", "/"], 0, ANSWER)
        self.both(["tree", "/nothing"], 1, ERROR)
        self.both(["stat", "/n"], 0, ANSWER)
        self.both(["stat", "/nothing"], 1, ERROR)
        self.both(["getacl", "/n"], 0, ANSWER)
        self.both(["getacl", "/nothing"], 1, ERROR)
        self.both(["setacl", "/n", "world:anyone:rwcda"], 0, ANSWER)
        self.both(["setacl", "/n", "nonsense"], 2, ERROR)
        self.both(["delete", "/n"], 0, ANSWER, [there])
        self.both(["delete", "/nothing"], 1, ERROR)
        self.both(["deleteall", "/n"], 0, ANSWER, [there])
        self.both(["deleteall", "/nothing"], 1, ERROR)
        self.both(["txn"], 0, ANSWER, [gone], text=b"create /n\n")
        self.both(["txn"], 2, ERROR, text=b"nonsense\n")
        # What became of each operation is an answer, too.
        code, out, errors = self.ask("--json", "txn", text=b"create /n/below\ncheck -v 99 /n\n")
        told = self.value_in("txn", out)
        assert code == 1 and errors == b"" and [each["result"] for each in told["results"]] == ["ok", "bad-version"], (code, out, errors)

    def permissions(self):
        without = ["quota", "set", "/q", "--count", "none"]
        self.both(["quota", "set", "/q", "--count", "5"], 0, ANSWER)
        self.both(["quota", "set", "/q"], 2, ERROR)
        self.both(["quota", "show", "/q"], 0, ANSWER)
        self.both(["quota", "show", "no-slash"], 2, ERROR)
        self.no(["quota", "show", "/q"], {"path": "/q", "count": None, "bytes": None}, [without])
        self.both(["digest", "anna", str(self.folder / "password")], 0, ANSWER)
        self.both(["digest", "an:na"], 2, ERROR)
        assert self.ask("digest", "super", text=b"test\n") == (0, b"super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n", b"")

    def no(self, words, answer, before=()):
        """The answer is no, or nothing: exit code 1 in both forms, and with --json it is a value all the same."""
        for each in before:
            self.ask(*each)
        code, out, errors = self.ask(*words)
        assert code == 1 and out == b"" and errors.startswith(b"quorate: "), (words, code, out, errors)
        code, out, errors = self.ask("--json", *words)
        assert code == 1 and errors == b"" and self.value_in(words, out) == answer, (words, code, out, errors)
        self.name(words)

    def locks(self):
        # What a lock run says on standard error is its own one line; standard output is the command's.
        code, out, errors = self.ask("--json", "lock", "run", "--with", "/m", "/l", "--", "sh", "-c", "echo $QUORATE_LOCK_TOKEN; exit 7")
        told = self.value_in("lock run", errors)
        assert code == 7 and told["exit_code"] == 7, (code, told)
        assert [each["path"] for each in told["locks"]] == ["/l", "/m"] and str(told["locks"][0]["token"]) == out.decode().strip(), (out, told)
        self.both(["lock", "run", "/l", "--", "/no/such/program"], 127, ERROR)
        self.both(["lock", "run", "/l"], 2, ERROR)
        self.both(["elect", "run", "/e", "--", "/no/such/program"], 127, ERROR)
        code, out, errors = self.ask("--json", "elect", "run", "/e", "--", "echo", "leads")
        assert code == 0 and out == b"leads\n" and self.value_in("elect run", errors)["locks"][0]["path"] == "/e", (code, out, errors)
        holder, token = self.hold("/l")
        self.both(["lock", "run", "-n", "/l", "--", "true"], 124, ERROR)
        self.both(["lock", "ls"], 0, ANSWER)
        self.both(["lock", "ls", "no-slash"], 2, ERROR)
        self.both(["lock", "show", "/l"], 0, ANSWER)
        self.both(["lock", "show", "/nothing"], 1, ERROR)
        self.both(["lock", "graph"], 0, ANSWER)
        self.both(["lock", "graph", "no-slash"], 2, ERROR)
        self.both(["lock", "history", "/l"], 0, ANSWER)
        self.both(["lock", "history", "no-slash"], 2, ERROR)
        _, out, _ = self.ask("--json", "lock", "history", "/never")
        told = json.loads(out)
        assert set(told) == {"path", "since", "complete", "places"} and told["places"] == [], told
        self.no(["lock", "history", "/never"], told)
        self.both(["lock", "verify", "/l", token], 0, ANSWER)
        self.both(["lock", "verify", "no-slash", token], 2, ERROR)
        self.both(["lock", "break", "/l", "--token", "1"], 1, ERROR)
        code, out, errors = self.ask("--json", "lock", "break", "/l", "--token", token)
        assert code == 0 and errors == b"" and json.loads(out) == {"path": "/l", "token": int(token), "broken": True}, (code, out, errors)
        # Its holder is told, in its own form.
        _, errors = holder.communicate(timeout=PATIENCE)
        assert holder.returncode == 125 and self.check_error("a lock that was lost", 125, errors)["code"] == "lock-lost"
        self.name(["lock", "break"])
        self.name(["lock", "run"])
        self.name(["elect", "run"])
        self.no(["elect", "show", "/nobody"], [])
        self.both(["elect", "show", "no-slash"], 2, ERROR)

    def start(self, *words):
        # With the signals that a shell's child has.
        return subprocess.Popen([self.quorate, "--json", *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def hold(self, path):
        holder = self.start("lock", "run", path, "--", "sh", "-c", "echo $QUORATE_LOCK_TOKEN; exec sleep 1000")
        return holder, holder.stdout.readline().decode().strip()

    def services(self):
        self.no(["service", "show", "s"], [])
        self.no(["service", "resolve", "s"], [])
        self.both(["service", "ls"], 0, ANSWER)
        self.both(["service", "ls", "--base", "no-slash"], 2, ERROR)
        self.both(["service", "show", "a/b"], 2, ERROR)
        self.both(["service", "resolve", "a/b"], 2, ERROR)
        self.both(["service", "drain", "s", "nobody"], 1, ERROR)
        self.both(["service", "register", "s", "--check", "ftp://x"], 2, ERROR)
        self.both(["service", "watch", "a/b"], 2, ERROR)
        watch = self.start("service", "watch", "s")
        assert json.loads(watch.stdout.readline()) == []
        one = self.start("service", "register", "s", "--id", "one", "--port", "80")
        assert json.loads(one.stdout.readline()) == {"name": "s", "id": "one", "node": "/services/s/one"}
        assert json.loads(watch.stdout.readline())[0]["id"] == "one"
        self.both(["service", "show", "s"], 0, ANSWER)
        self.both(["service", "resolve", "s"], 0, ANSWER)
        for flags, enabled in ([], False), (["--undo"], True):
            code, out, errors = self.ask("--json", "service", "drain", "s", "one", *flags)
            assert code == 0 and errors == b"" and json.loads(out) == {"name": "s", "id": "one", "enabled": enabled}, (code, out, errors)
        self.end(one)
        self.end(watch)
        # Standard output is the command's.
        code, out, errors = self.ask("--json", "service", "register", "s", "--id", "two", "--", "sh", "-c", "echo mine; exec sleep 0")
        assert code == 0 and out == b"mine\n", (code, out, errors)
        self.name(["service", "register"])
        self.name(["service", "watch"])

    def end(self, running):
        running.send_signal(signal.SIGTERM)
        out, errors = running.communicate(timeout=PATIENCE)
        for line in out.splitlines():
            json.loads(line)
        assert running.returncode == 0 and errors == b"", (running.args, running.returncode, errors)

    def streams(self):
        self.ask("create", "/seen")
        _, out, _ = self.ask("--json", "stat", "/seen")
        made = str(json.loads(out)["czxid"])
        self.ask("set", "/seen", "x")
        watch = self.start("watch", "--from", made, "/seen")
        assert json.loads(watch.stdout.readline())["event"] == "changed"
        self.end(watch)
        self.both(["watch", "no-slash"], 2, ERROR)
        elect = self.start("elect", "watch", "/e")
        assert json.loads(elect.stdout.readline()) is None
        self.end(elect)
        self.name(["elect", "watch"])
        self.both(["elect", "watch", "no-slash"], 2, ERROR)
        self.both(["top", "--once", "--interval", "100ms"], 0, ANSWER)
        self.both(["top", "--interval", "1"], 2, ERROR)
        self.both(["bench", "--only", "get", "--clients", "1", "--seconds", "0.1"], 0, ANSWER)
        self.both(["bench", "--clients", "0"], 2, ERROR)
        ephemeral = self.start("create", "-e", "/mine")
        assert json.loads(ephemeral.stdout.readline())["path"] == "/mine"
        self.end(ephemeral)

    def cluster(self):
        self.both(["cluster", "status"], 0, ANSWER)
        self.both(["cluster", "health"], 0, ANSWER)
        self.both(["cluster", "transfer", "1"], 0, ANSWER)
        self.both(["cluster", "transfer", "9"], 2, ERROR)
        nobody = ["--endpoints", f"127.0.0.1:{free_ports(1)[0]}", "--request-timeout", "100ms"]
        for words in ["cluster", "status"], ["cluster", "health"], ["cluster", "transfer"], ["top"], ["get", "/"], ["session", "ls"]:
            self.both(words, 3, ERROR, options=nobody)

    def sessions(self):
        self.both(["session", "ls"], 0, ANSWER)
        self.both(["session", "show", "nonsense"], 2, ERROR)
        self.both(["session", "show", "0x1"], 1, ERROR)
        self.both(["session", "close", "0x1"], 1, ERROR)
        holder, _ = self.hold("/closed")
        _, out, _ = self.ask("--json", "session", "ls")
        name = json.loads(out)[-1]["session"]
        self.both(["session", "show", name], 0, ANSWER)
        self.both(["session", "close", name], 5, ERROR)
        code, out, errors = self.ask("--json", *self.super, "session", "close", name)
        assert code == 0 and errors == b"" and json.loads(out)["closed"], (code, out, errors)
        assert holder.wait(PATIENCE) == 125

    def files(self):
        backup = lambda: self.file("backup")
        self.both(lambda: ["export", "/", self.file("exported")], 0, ANSWER)
        self.both(["export", "/nothing"], 1, ERROR)
        code, out, errors = self.ask("--json", "export", "/")
        assert code == 0 and errors == b"" and all(json.loads(line)["path"] for line in out.splitlines()), (code, out, errors)
        self.both(["import", str(self.lines)], 0, ANSWER, [["deleteall", "/imported"]])
        self.both(["import", str(self.lines)], 1, ERROR)
        self.both(["import", "/no/such/file"], 2, ERROR)
        self.both(lambda: ["import", "--zookeeper", self.endpoint, "--path", "/imported", self.file("zookeeper")], 0, ANSWER)
        self.both(["import", "--zookeeper", self.endpoint, "--path", "/nothing", self.file("nothing")], 1, ERROR)
        self.both(lambda: ["snapshot", "save", backup()], 0, ANSWER, options=self.super)
        self.both(["snapshot", "save", str(self.folder / "backup")], 1, ERROR, options=self.super)
        self.both(["snapshot", "verify", str(self.folder / "backup")], 0, ANSWER)
        self.both(["snapshot", "verify", "/no/such/file"], 1, ERROR)
        place = iter(range(10))
        restore = ["snapshot", "restore", "--id", "1", "--cluster", "1=127.0.0.1:1", "--data"]
        self.both(lambda: [*restore, str(self.folder / f"restored-{next(place)}"), str(self.folder / "backup")], 0, ANSWER)
        self.both([*restore, str(self.folder / "none"), "/no/such/file"], 1, ERROR)

    def the_rest(self):
        for shell in "bash", "zsh":
            self.both(["completion", shell], 0, ANSWER)
        self.both(["completion"], 2, ERROR)
        self.both(["nonsense"], 2, ERROR)
        self.both(["--nonsense"], 2, ERROR)
        # A value a line, and one for the error that ends the script.
        code, out, errors = self.ask("--json", "shell", text=b"cd /\npwd\nls /imported\nget /nothing\npwd\n")
        assert code == 1 and [json.loads(line) for line in out.splitlines()] == [{"path": "/"}, {"path": "/"}, []], (code, out)
        assert [json.loads(line)["error"]["code"] for line in errors.splitlines()] == ["no-node", "answer-is-no"], errors
        # A command's own code is not what the lock's would mean.
        code, _, errors = self.ask("--json", "shell", text=b"lock run /of-a-line -- sh -c 'exit 125'\n")
        assert code == 125 and json.loads(errors.splitlines()[-1])["error"]["code"] == "failed", (code, errors)
        # What is no endpoint is said at once, and by all commands alike.
        for command in (["cluster", "status"], ["cluster", "health"], ["cluster", "transfer"], ["top", "--once"], ["get", "/"]):
            code, _, errors = self.ask("--endpoints", f"{self.endpoint},abc", "--json", *command)
            assert code == 2 and "'abc' is no endpoint" in self.check_error(command[0], 2, errors)["message"], (command, code, errors)
        self.name(["shell"])

    def forgotten(self):
        """A watch from where the history does not reach back to: more than the 8 MiB of changes that are kept."""
        self.ask("create", "/told")
        made = str(json.loads(self.ask("--json", "stat", "/told")[1])["czxid"])
        many = self.folder / "many"
        many.write_text('{"path":"/many","data":""}\n' + "".join(f'{{"path":"/many/{i}{"x" * 900}","data":""}}\n' for i in range(9800)))
        assert self.ask("import", str(many))[0] == 0
        self.both(["watch", "--from", made, "/told"], 1, ERROR)
        code, _, errors = self.ask("--json", "watch", "--from", made, "/told")
        assert code == 1 and self.check_error("watch", 1, errors)["code"] == "history-gone", errors

    def stopped(self):
        self.stop()
        self.both(lambda: ["snapshot", "save", "--data", str(self.folder / "data"), self.file("stopped")], 0, ANSWER)

    def run(self):
        try:
            for part in (self.nodes, self.permissions, self.locks, self.services, self.streams, self.cluster, self.sessions, self.files, self.the_rest, self.forgotten):
                part()
                print(f"{part.__name__}: one value each", flush=True)
            commands = self.commands()
            assert len(commands) > 40, commands
            missing = [command for command in commands if command not in self.tried]
            assert not missing, f"these commands are not in the table: {missing}"
            self.stopped()
        finally:
            self.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        Test(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder)).run()
    print("Every command prints one JSON value.")


if __name__ == "__main__":
    main()
