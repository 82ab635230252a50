"""`anomod adopt`: looks at a team's own system once and writes its definition as Python to check in."""
