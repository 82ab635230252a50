"""A campaign on a cluster: an Indexed Job whose indexes play a share each, and the watching of it."""
