"""Undoes everything, whatever happens: undo journal, guardian, sessions and the sweep of what dead ones left."""
