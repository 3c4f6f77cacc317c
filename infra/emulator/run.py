"""Runs the emulator in the foreground, and leaves nothing running behind it.

The emulator runs functions as processes of its own, and does not end them when it ends. So two processes share the
work: this one becomes the emulator and leads a process group that every function process is born into, and a guard
outside of that group waits for the end and then kills whatever is left in it. That holds even if one is killed.

All settings come from the environment of the caller.
"""

import argparse
import os
import select
import signal

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

    # The group has to exist before the guard may kill it. A caller may have made one for us.
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    server = os.getpid()
    # The server alone holds the other end of this pipe, so it closes with the server, however that dies.
    alive, held = os.pipe()
    # Forked before anything is imported: there are no threads yet.
    if os.fork() == 0:
        os.close(held)
        guard(server, alive, options.watch_stdin)
        os._exit(0)
    os.close(alive)

    # The emulator parses the command line too.
    import sys

    del sys.argv[1:]
    # Two servers of its own that no function of ours talks to. One is most of its start, and both claim fixed ports.
    os.environ["IOT_MTLS_ENABLED"] = "0"
    os.environ["SFTP_ENABLED"] = "0"
    from ministack.app import main as serve

    read_gateway_responses()
    serve()


def read_gateway_responses():
    """Has the emulator read out of an API's definition what the service reads there: the answers of its gateway."""
    from ministack.services import apigateway_v1 as gateway

    read = gateway._import_rest_api

    def read_all(spec, *rest):
        api = read(spec, *rest)
        for kind, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
            status, _, problem = gateway._put_gateway_response(api, kind, response)
            if status >= 400:
                raise ValueError(f"the gateway response {kind}: {problem!r}")
        return api

    gateway._import_rest_api = read_all


if __name__ == "__main__":
    main()
