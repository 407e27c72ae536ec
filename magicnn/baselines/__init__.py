"""What networks are compared with: energy lookup tables and random forests on image parameters."""
