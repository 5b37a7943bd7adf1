"""Sweeps: which cells are wanted, which of them are finished, in what order the rest runs, and how it goes."""
