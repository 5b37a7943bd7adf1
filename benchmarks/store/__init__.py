"""Runs and what is made of them: record, store, leaderboard."""
