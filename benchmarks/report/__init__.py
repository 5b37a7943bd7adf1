"""Tables from a leaderboard, and from nothing else."""
