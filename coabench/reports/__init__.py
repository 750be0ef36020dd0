"""What is made of finished runs: leaderboard, comparison, report, pandas tables."""
