"""Run artlock as ``python -m artlock``."""

from artlock.cli.main import main

if __name__ == "__main__":
    main()
