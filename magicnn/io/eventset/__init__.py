"""Event sets, the package's own file of events: layout, reading, and writing that survives being killed."""
