"""The entry point of `sentcli` and of `python -m sentcli`."""

import signal

# Until the command line has its own handlers, Ctrl-C ends the process at once and without a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from sentcli.cli import main

if __name__ == "__main__":
    main(prog_name="sentcli")
