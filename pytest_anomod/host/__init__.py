"""What this machine gives a case: its cores, and how busy they are."""
