#!/usr/bin/env python3
"""What the command line writes on a terminal, and what in a pipe, against a real server.

    tests/client/cli_terminal_test.py BIN     BIN: the folder with quorated and quorate

A terminal has headings that stand out, errors in red, a line of progress on what takes longer than a second, and a
line's end behind a node's data. A pipe and a file have nothing of all that.
"""
import os
import pathlib
import signal
import sys
import tempfile

from terminal import Server


class Test(Server):
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
            code, shown = self.on_terminal("import", "--overwrite", str(file))
            assert code == 0 and f"{count + 1} overwritten".encode() in shown, shown
            if b"\r\033[K" in shown:
                break
            assert count < 1_000_000, "no progress was shown"
            count *= 2
        # Each line of progress takes the place of the one before, and the last is gone.
        assert b" nodes\r\033[K" in shown, shown
        code, out, errors = self.in_pipe("import", "--overwrite", str(file))
        assert code == 0 and errors == b"" and b"\r" not in out and b"\033" not in out, (out, errors)

    def interrupted(self):
        """Ctrl-C on the terminal ends a command that waits, as a signal does elsewhere."""
        watching = self.terminal("lock", "run", "/l", "--", "sh", "-c", "echo held; exec sleep 1000")
        watching.until(b"held")
        os.write(watching.master, b"\x03")
        code, shown = watching.end()
        assert code == 128 + signal.SIGINT, (code, shown)
        assert self.in_pipe("lock", "show", "/l")[1] == b"free\n"

    def run(self):
        try:
            for part in (self.headings, self.errors, self.data, self.progress, self.interrupted):
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
