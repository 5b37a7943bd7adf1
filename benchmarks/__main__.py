"""`python -m benchmarks` is `defectbench`."""

from benchmarks.cli import main

main(prog_name="defectbench")
