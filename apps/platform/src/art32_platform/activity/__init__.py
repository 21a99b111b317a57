"""The activity log: who did what, when, from where; rows that nobody can change."""
