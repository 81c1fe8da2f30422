"""`python -m budaiscaler.cli`."""

from budaiscaler.cli.main import main

if __name__ == "__main__":
    main()
