"""`python -m sentcli`."""

from sentcli.cli import main

if __name__ == "__main__":  # a process that is started for this one imports this file too
    main(prog_name="sentcli")
