"""The only part that knows Chaos Toolkit: compile a scenario, play the experiment."""
