"""Undoes all changes, whatever happens: undo journal, guardian, sessions, and the sweep of dead sessions."""
