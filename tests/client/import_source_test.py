"""import --zookeeper against a source that is told what to answer: what no ensemble of a test can be brought to say in time.

usage: import_source_test.py FOLDER-OF-QUORATED-AND-QUORATE"""
import json
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from terminal import PATIENCE, free_ports

CHILDREN = 4400
NAME_BYTES = 1000  # of each: together more than the 4 MiB of names that Quorate sends in one answer
OF_SERVER_255 = -0x00ffffffedcba988  # 0xff00000012345678


def string(text):
    raw = text.encode()
    return struct.pack(">i", len(raw)) + raw


def names(each):
    return struct.pack(">i", len(each)) + b"".join(string(name) for name in each)


class Source:
    """ZooKeeper's protocol, as far as an import speaks it, over a tree: path -> owner."""

    OPEN = struct.pack(">ii", 1, 31) + string("world") + string("anyone")

    def __init__(self, nodes):
        self.nodes, self.data = {"/": 0, **nodes}, {}
        self.children = {path: [] for path in self.nodes}
        for path in self.nodes:
            if path != "/":
                self.children[path.rpartition("/")[0] or "/"].append(path.rpartition("/")[2])
        self.asked = lambda path: None  # of each node that is read
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        stream = connection.makefile("rwb")
        first = True
        while header := stream.read(4):
            frame = stream.read(struct.unpack(">i", header)[0])
            answer = struct.pack(">iiq", 0, 30000, 1) + struct.pack(">i", 16) + bytes(16) + b"\0" if first else self.answer(frame)
            first = False
            stream.write(struct.pack(">i", len(answer)) + answer)
            stream.flush()

    def stat(self, path):
        count = len(self.children[path])
        return struct.pack(">qqqqiiiqiiq", 1, 1, 1000, 1000, 0, count, 0, self.nodes[path], len(self.data.get(path, b"")), count, 1)

    def answer(self, frame):
        xid, op = struct.unpack(">ii", frame[:8])
        path = frame[12:12 + struct.unpack(">i", frame[8:12])[0]].decode() if op > 0 else ""
        error, body = 0, b""
        if op == 9:
            body = string(path)
        elif path not in self.nodes:
            error = -101 if op > 0 else 0
        elif op == 4:
            self.asked(path)
            data = self.data.get(path, b"")
            body = struct.pack(">i", len(data)) + data + self.stat(path)
        elif op == 6:
            body = self.OPEN + self.stat(path)
        elif op == 8:
            body = names(self.children[path])
        return struct.pack(">iqi", xid, 1, error) + body


class Imports:
    def __init__(self, binaries, folder):
        self.quorate, self.quorated, self.folder, self.count = str(binaries / "quorate"), str(binaries / "quorated"), folder, 0

    def run(self, *arguments, code=0, form=("--json",)):
        done = subprocess.run([self.quorate, *form, *arguments], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == code, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if form and done.stdout else done.stdout, done.stderr

    def file(self):
        self.count += 1
        return str(self.folder / f"import{self.count}")

    def lists_that_quorate_does_not_send(self):
        wide = {f"/big/{i:04d}{'x' * (NAME_BYTES - 4)}": 0 for i in range(CHILDREN)}
        source, file = Source({"/big": 0, **wide, "/small": 0}), self.file()
        told, _ = self.run("import", "--zookeeper", source.address, file)
        assert told["nodes"] == CHILDREN + 3 and told["left_out"] == [], told
        assert (told["wide_count"], told["wide"]) == (1, [{"path": "/big", "children": CHILDREN}]), told
        text, _ = self.run("import", "--zookeeper", source.address, self.file(), form=())
        assert f"too wide: /big: {CHILDREN} children" in text, text
        # The comparison of the page, against Quorate, which does not tell these names.
        peer, client = free_ports(2)
        endpoint, data = f"127.0.0.1:{client}", str(self.folder / "data")
        self.run("snapshot", "restore", "--id", "1", "--cluster", f"1=127.0.0.1:{peer}", "--data", data, file)
        with open(self.folder / "server.log", "wb") as log:
            server = subprocess.Popen([self.quorated, "--id", "1", "--cluster", f"1=127.0.0.1:{peer}", "--data", data,
                                       "--client", endpoint], stdout=log, stderr=log)
        try:
            verify = ["import", "--zookeeper", endpoint, "--verify", file]
            while subprocess.run([self.quorate, "--endpoints", endpoint, "get", "/"], capture_output=True).returncode != 0:
                assert server.poll() is None
            told, _ = self.run("--endpoints", endpoint, *verify)
            assert told["same"] and told["nodes"] == told["source_nodes"] == CHILDREN + 3, told
            # Nor may a child that is new, or in the place of another, be overlooked.
            some = next(iter(wide))
            self.run("--endpoints", endpoint, "create", "/big/new")
            assert not self.run("--endpoints", endpoint, *verify, code=1)[0]["same"]
            self.run("--endpoints", endpoint, "delete", some)
            assert not self.run("--endpoints", endpoint, *verify, code=1)[0]["same"]
            # From such a source there is no import of that node.
            told, _ = self.run("import", "--zookeeper", endpoint, self.file(), code=5)
            assert [each["path"] for each in told["left_out"]] == ["/big"] and "too many" in told["left_out"][0]["why"], told
        finally:
            server.kill()
            server.wait()

    def sessions_of_the_server_255(self):
        source = Source({"/kept": 0, "/lock": OF_SERVER_255, "/lock2": -2 ** 63})
        told, _ = self.run("import", "--zookeeper", source.address, self.file())
        assert (told["nodes"], told["ephemerals"]) == (2, 2), told

    def quotas_that_change_meanwhile(self):
        limits = "/zookeeper/quota/kept/zookeeper_limits"
        source, file = Source({"/kept": 0, "/zookeeper": 0, "/zookeeper/quota": 0, "/zookeeper/quota/kept": 0, limits: 0}), self.file()
        source.children["/"].remove("zookeeper")
        source.data[limits] = b"count=5,bytes=-1"
        read = []

        def asked(path):
            if path in read and path == limits:
                source.data[limits] = b"count=6,bytes=-1"
            read.append(path)
        source.asked = asked
        _, said = self.run("import", "--zookeeper", source.address, file, code=1)
        assert "quotas were changed" in said, said
        assert not list(self.folder.glob(pathlib.Path(file).name + "*"))
        told, _ = self.run("import", "--zookeeper", source.address, file)
        assert told["quotas"] == 1, told

    def two_imports_into_one_file(self):
        source, file = Source({"/kept": 0}), self.file()
        reached, go_on = threading.Event(), threading.Event()

        def wait(path):
            reached.set()
            go_on.wait()
        source.asked = wait
        first = subprocess.Popen([self.quorate, "--request-timeout", f"{PATIENCE}s", "import", "--zookeeper", source.address, file],
                                 stdout=subprocess.PIPE)
        assert reached.wait(PATIENCE)
        _, said = self.run("import", "--zookeeper", source.address, file, code=1)
        assert "another import" in said, said
        go_on.set()
        first.communicate(timeout=PATIENCE)
        assert first.returncode == 0
        # One that never began leaves nothing.
        nothing = self.file()
        self.run("--request-timeout", "100ms", "import", "--zookeeper", "127.0.0.1:1", nothing, code=3)
        assert not list(self.folder.glob(pathlib.Path(nothing).name + "*"))


def main():
    with tempfile.TemporaryDirectory(prefix="quorate-import-") as folder:
        imports = Imports(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder))
        for test in (imports.lists_that_quorate_does_not_send, imports.sessions_of_the_server_255,
                     imports.quotas_that_change_meanwhile, imports.two_imports_into_one_file):
            test()
            print(test.__name__, "as it should be", flush=True)


main()
