#!/usr/bin/env python3
"""quorate bench in a pipe and on a terminal, against a real server. Its figures are not judged.

    tests/client/cli_bench_test.py BIN     BIN: the folder with quorated and quorate
"""
import json
import pathlib
import sys
import tempfile

from terminal import Server

SHORT = ("--seconds", "0.1")


class Test(Server):
    def nothing_is_left(self):
        code, out, _ = self.in_pipe("ls", "/")
        assert code == 0 and b"bench" not in out, out

    def a_table(self):
        code, out, errors = self.in_pipe("bench", *SHORT, "--clients", "1,3", "--only", "set,mixed")
        assert code == 0 and errors == b"", (code, errors)
        rows = [line.split() for line in out.decode().splitlines()]
        assert rows[0] == ["WORK", "CLIENTS", "OPS/S", "P50", "P99", "P99.9"], rows
        assert [row[:2] for row in rows[1:]] == [[work, n] for work in ("set", "mixed") for n in "13"], rows
        self.nothing_is_left()

    def as_json(self):
        for protocol in ("native", "zookeeper"):
            code, out, errors = self.in_pipe("--json", "bench", *SHORT, "--clients", "300", "--only", "get,lock",
                                             "--protocol", protocol)
            assert code == 0 and errors == b"", (code, errors)
            told = json.loads(out)
            assert [(row["work"], row["clients"]) for row in told] == [("get", 300), ("lock", 300)], told
            assert all(row["ops_per_s"] > 0 and 0 < row["p50_us"] <= row["p99_us"] <= row["p999_us"] for row in told), told
            self.nothing_is_left()

    def whose_folder_it_is(self):
        assert self.in_pipe("create", "-p", "/quorate-bench/mine")[0] == 0
        code, out, errors = self.in_pipe("bench", *SHORT)
        assert code == 1 and out == b"" and b"/quorate-bench exists" in errors, (code, errors)
        assert self.in_pipe("get", "/quorate-bench/mine")[0] == 0
        assert self.in_pipe("deleteall", "/quorate-bench")[0] == 0

    def interrupted(self):
        """What was measured is told, and the nodes are gone."""
        bench = self.terminal("bench", "--clients", "1", "--seconds", "3600")
        bench.until(b"measuring set with 1 clients")
        bench.type("\x03")
        code, shown = bench.end()
        assert code == 130 and b"quorate: interrupted" in shown, (code, shown)
        self.nothing_is_left()

    def errors(self):
        for wrong in (("--only", "sleep"), ("--clients", "0"), ("--seconds", "0"), ("--protocol", "http")):
            code, out, errors = self.in_pipe("bench", *wrong)
            assert code == 2 and out == b"" and b"see: quorate bench --help" in errors, (wrong, errors)
        code, out, errors = self.in_pipe("--endpoints", self.nobody(), "--request-timeout", "500ms", "bench")
        assert code == 3 and out == b"" and b"no server reachable" in errors, errors
        # One that is not there among others: what cannot be measured as it was asked for is not measured.
        code, out, errors = self.in_pipe("--endpoints", self.environment["QUORATE_ENDPOINTS"] + "," + self.nobody(), "bench",
                                         *SHORT, "--clients", "2")
        assert code == 3 and out == b"" and b"cannot connect to 127.0.0.1:1:" in errors, (code, errors)
        self.nothing_is_left()

    @staticmethod
    def nobody():
        return "127.0.0.1:1"

    def run(self):
        try:
            for part in (self.a_table, self.as_json, self.whose_folder_it_is, self.interrupted, self.errors):
                part()
                print(f"{part.__name__}: as it should be", flush=True)
        finally:
            self.stop()


def main():
    with tempfile.TemporaryDirectory() as name:
        Test(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(name)).run()
    print("The cluster was measured, and is as it was.")


if __name__ == "__main__":
    main()
