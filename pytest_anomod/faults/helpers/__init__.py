"""Stand-alone programs that hold a fault in from inside a service's boundary; each ends itself at its deadline."""
