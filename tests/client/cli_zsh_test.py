#!/usr/bin/env python3
"""Tab in zsh, with what quorate completion zsh prints, against a real server.

    tests/client/cli_zsh_test.py BIN     BIN: the folder with quorated and quorate
"""
import os
import pathlib
import sys
import tempfile

from terminal import Server, Terminal


class Test(Server):
    def zsh(self, installed):
        """A shell whose prompt is $: of somebody who did what docs/cli.md says, or where it is installed."""
        begin = "PS1='$ '\nunsetopt prompt_sp\nautoload -U compinit\n"
        if installed:
            functions = self.folder / "site-functions"
            functions.mkdir(exist_ok=True)
            (functions / "_quorate").write_bytes(self.in_pipe("completion", "zsh")[1])
            begin += f"fpath=({functions} $fpath)\ncompinit -u -D\n"
        else:
            begin += "compinit -u\nsource <(quorate completion zsh)\n"
        (self.folder / ".zshrc").write_text(begin)
        environment = {**self.environment, "ZDOTDIR": str(self.folder), "HOME": str(self.folder), "TERM": "dumb",
                       "PATH": f"{pathlib.Path(self.quorate).parent}:{os.environ['PATH']}"}
        shell = Terminal(["/usr/bin/zsh", "-d", "-i"], environment)
        shell.until_again(b"$ ")
        return shell

    def completes(self, typed, made, installed=False):
        """What is typed, and Tab: the line is then this. It is not run."""
        shell = self.zsh(installed)
        shell.type(typed)
        shell.until_again(typed.encode())
        shell.type("\t")
        shell.until_again(made.encode()[len(typed):])
        shell.type("\x15exit\n")
        assert shell.end()[0] == 0

    def run(self):
        try:
            assert self.in_pipe("create", "-p", "/app/colour")[0] == 0
            for typed, made in (("quorate lock hi", "quorate lock history"), ("quorate snap", "quorate snapshot"),
                                ("quorate get --he", "quorate get --help"), ("quorate get /app/co", "quorate get /app/colour"),
                                (f"quorate --endpoints {self.endpoint} stat /app/co", f"quorate --endpoints {self.endpoint} stat /app/colour")):
                self.completes(typed, made)
            self.completes("quorate get /app/co", "quorate get /app/colour", installed=True)
        finally:
            self.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        Test(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder)).run()
    print("zsh completes commands, options and paths.")


if __name__ == "__main__":
    main()
