"""Who carries a fault out, and by which means: one injector, one folder. Injectors import faults, never the reverse."""
