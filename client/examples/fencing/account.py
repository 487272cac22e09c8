#!/usr/bin/python3
"""A database that refuses whoever holds a lock no more: docs/fencing.md in a program.

    quorate lock run [--shared | --permits N] /account -- account.py DATABASE AMOUNT [--until FILE]

Adds AMOUNT to the balance. With --until it is admitted, then waits until FILE is there, then writes: as a program does
that is stopped in the middle. Exit code 1, and a sentence, if the database refuses it.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import time

SCHEMA = """
CREATE TABLE IF NOT EXISTS account(balance INTEGER NOT NULL);
INSERT INTO account SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM account);
CREATE TABLE IF NOT EXISTS newest(token INTEGER NOT NULL);
INSERT INTO newest SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM newest);
CREATE TABLE IF NOT EXISTS admitted(token INTEGER PRIMARY KEY);
"""


def holders(path):
    """The tokens of all who hold the lock now: asked for after we were granted it."""
    shown = subprocess.run(["quorate", "--json", "lock", "show", path], check=True, stdout=subprocess.PIPE)
    lock = json.loads(shown.stdout)
    holding = lock["sharing"] + ([lock["holder"]] if lock["holder"] else [])
    return [holder["token"] for holder in holding]


def admit(database, token, holding):
    """Whoever has a newer token than all before says who holds beside it. All others are of the past."""
    database.execute("BEGIN IMMEDIATE")
    with database:
        (newest,) = database.execute("SELECT token FROM newest").fetchone()
        if token > newest:
            database.execute("UPDATE newest SET token = ?", (token,))
            database.execute("DELETE FROM admitted")
            database.executemany("INSERT INTO admitted VALUES (?)", [(t,) for t in holding if t <= token])


def add(database, token, amount):
    """The check and the write are one transaction. Returns whether it was done."""
    database.execute("BEGIN IMMEDIATE")
    with database:
        done = database.execute(
            "UPDATE account SET balance = balance + ? WHERE EXISTS (SELECT 1 FROM admitted WHERE token = ?)",
            (amount, token))
        return done.rowcount == 1


def main():
    options = argparse.ArgumentParser()
    options.add_argument("database")
    options.add_argument("amount", type=int)
    options.add_argument("--until")
    asked = options.parse_args()
    token = int(os.environ["QUORATE_LOCK_TOKEN"])

    # Transactions begin where we say so.
    database = sqlite3.connect(asked.database, timeout=30, isolation_level=None)
    database.executescript(SCHEMA)
    admit(database, token, holders(os.environ["QUORATE_LOCK_PATH"]))
    print(f"token {token} came in", flush=True)
    while asked.until and not os.path.exists(asked.until):
        time.sleep(0.02)
    if not add(database, token, asked.amount):
        print(f"token {token} was refused: the lock has been given to others since", flush=True)
        return 1
    print(f"token {token} added {asked.amount}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
