"""Facts of this machine: processes, ports, locks, cores, how busy it is, control groups, network namespaces."""
