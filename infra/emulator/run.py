"""Runs the emulator in the foreground, and leaves nothing running behind it.

The emulator runs functions as processes of its own, and does not end them when it ends. So two processes share the
work: this one becomes the emulator and leads a process group that every function process is born into, and a guard
outside of that group waits for the end and then kills whatever is left in it. That holds even if one is killed.

The caller binds the port and hands over the listening socket in the place of standard output, so that nobody else can
take the port. All settings come from the environment of the caller.
"""

import argparse
import os
import resource
import select
import signal
import stat
import sys

# The emulator may want to finish what it answers; nobody waits longer than this for it.
GRACE_SECONDS = 3


def guard(server, alive, watch_stdin):
    """Waits until the server has died or the caller has gone away, then clears the server's process group."""
    # Out of reach of whatever ends the caller or interrupts its terminal.
    os.setsid()
    watched = [alive, 0] if watch_stdin else [alive]
    while True:
        readable, _, _ = select.select(watched, [], [])
        # What the caller writes means nothing; only the end of it does. Nothing is ever written to `alive`.
        if alive in readable or not os.read(0, 4096):
            break
    send(os.kill, server, signal.SIGTERM)
    select.select([alive], [], [], GRACE_SECONDS)
    send(os.killpg, server, signal.SIGKILL)


def send(kill, target, what):
    try:
        kill(target, what)
    except ProcessLookupError:
        pass  # Gone already, which is what we want.


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--watch-stdin", action="store_true", help="end when stdin ends, so with the caller")
    options = arguments.parse_args()
    listening = taken_socket()

    # The group has to exist before the guard may kill it. A caller may have made one for us.
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    server = os.getpid()
    # The server alone holds the other end of this pipe, so it closes with the server, however that dies.
    alive, held = os.pipe()
    # Forked before anything is imported: there are no threads yet.
    if os.fork() == 0:
        os.close(held)
        # The port refuses connections as soon as the server is gone.
        os.close(listening)
        guard(server, alive, options.watch_stdin)
        os._exit(0)
    os.close(alive)
    serve(listening)


def taken_socket():
    """Takes the socket out of the place of standard output. What is printed goes where errors go, to the log."""
    if not stat.S_ISSOCK(os.fstat(1).st_mode):
        sys.exit("The listening socket has to be standard output: `ordermill up` starts the emulator so.")
    # No other process inherits the copy.
    listening = os.dup(1)
    os.dup2(2, 1)
    return listening


def serve(listening):
    """Runs the emulator on this socket, as its own main does on a port."""
    # Two servers of its own that no function of ours talks to. One is most of its start, and both claim fixed ports.
    os.environ["IOT_MTLS_ENABLED"] = "0"
    os.environ["SFTP_ENABLED"] = "0"
    # Nothing is written into the checkout.
    sys.dont_write_bytecode = True
    import patches

    sys.dont_write_bytecode = False
    import asyncio

    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack.app import app

    try:
        patches.apply()
    except patches.Gone as gone:
        sys.exit(str(gone))
    # Each request may be a connection, and each function has some.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    config = Config()
    config.bind = [f"fd://{listening}"]
    config.keep_alive_timeout = 75
    config.loglevel = os.environ["LOG_LEVEL"]
    asyncio.run(hypercorn_serve(app, config))


if __name__ == "__main__":
    main()
