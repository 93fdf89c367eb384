"""Run the command line with `python -m sentcli`."""

from sentcli.cli import main

if __name__ == "__main__":
    main(prog_name="sentcli")
