"""``python -m coabench``."""

from coabench.cli import main

if __name__ == "__main__":
    main()
