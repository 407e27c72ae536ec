"""ctapipe: its HDF5 files read and written, whatever its event sources read, and our event sets as one of them."""
