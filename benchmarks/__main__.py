"""`python -m benchmarks` is `defectbench`."""

from benchmarks.cli import main

if __name__ == "__main__":  # workers of a sweep import this module under another name
    main(prog_name="defectbench")
